"""Numbers as Grafana writes them, ticks, and the colours of its dark theme."""

import math

PALETTE = ("#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1", "#BA43A9", "#705DA0", "#508642", "#CCA300")
_SECONDS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_SHORT = ((1e9, "Bil"), (1e6, "Mil"), (1e3, "K"), (1.0, ""))
_SUFFIXES = {"reqps": " req/s", "cpm": " c/m"}


def written(value: float, unit: str) -> str:
    """Write the number in its unit, with three digits at most."""
    if not math.isfinite(value):
        return "NaN"
    if unit == "percentunit":
        return f"{_digits(value * 100)}%"
    if unit in {"s", "bytes"}:
        for size, name in _SECONDS if unit == "s" else _BYTES:
            if abs(value) >= size:
                return f"{_digits(value / size)} {name}"
        return f"0 {'s' if unit == 's' else 'B'}"
    for size, name in _SHORT:
        if abs(value) >= size:
            return f"{_digits(value / size)}{' ' + name if name else ''}{_SUFFIXES.get(unit, '')}"
    return f"{_digits(value)}{_SUFFIXES.get(unit, '')}"


def _digits(value: float) -> str:
    places = 0 if abs(value) >= 100 or value == round(value) else 1 if abs(value) >= 10 else 2
    text = f"{value:.{places}f}" if abs(value) >= 0.01 else f"{value:.2g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def ticks(top: float, unit: str) -> list[float]:
    """Return round values from zero to `top`, about four."""
    if unit == "s" and top >= 60:
        step = next((each for each in (15, 30, 60, 120, 300, 600, 1800, 3600) if top / each <= 5), top / 4)
        return [index * step for index in range(int(top / step) + 1)]
    base = 1024.0 if unit == "bytes" and top >= 1024 else 10.0
    if base == 1024.0:
        scale = 1024.0 ** math.floor(math.log(top, 1024))
        step = _round(top / scale / 4) * scale
    else:
        step = _round(top / 4)
    return [index * step for index in range(int(top / step + 1e-9) + 1)]


def _round(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if rough <= step * power * 1.001)


def by_threshold(value: float, steps: list[dict[str, object]]) -> str:
    """Return the colour of the last step that the value has reached."""
    colour = str(steps[0]["color"])
    for step in steps[1:]:
        if value >= float(str(step["value"])):
            colour = str(step["color"])
    return colour
