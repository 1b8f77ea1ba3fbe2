"""The figures of `colloquy bench`, as a table and as JSON."""

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from application.ports.scoring import Forgiveness
from domain.scoring import NORMALISATION, Rate, Scores, pooled
from domain.span import to_seconds
from domain.transcript import Transcript

_RATES: dict[str, Callable[[Scores], Rate | None]] = {
    "wer": lambda scores: scores.wer,
    "cpwer": lambda scores: scores.cpwer,
    "der": lambda scores: scores.der,
    "jer": lambda scores: scores.jer,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One configuration: each recording's transcript and scores, the most memory taken, and why it stopped, if so."""

    name: str
    results: list[tuple[Path, Transcript, Scores]]
    peak: int
    failure: str = ""


def show(measured: Sequence[Measured], forgiveness: Forgiveness) -> None:
    """Print a row for each recording, and one for all of a configuration's together."""
    table = Table(
        box=None, pad_edge=False, title_justify="left", caption=_footnote(forgiveness), caption_justify="left"
    )
    for heading in ("configuration", "recording"):
        table.add_column(heading, overflow="fold")
    for heading in ("seconds", *(name.upper() for name in _RATES), "RTF", "peak MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in measured:
        for row in _rows(one):
            rates = ("-" if row[name] is None else f"{row[name]:.3f}" for name in _RATES)
            speed = "-" if row["rtf"] is None else f"{row['rtf']:.3f}"
            table.add_row(one.name, row["recording"], f"{row['seconds']:.1f}", *rates, speed, f"{one.peak / 1e6:.0f}")
        if one.failure:
            table.add_row(one.name, f"[red]{one.failure}[/]")
    console = Console()
    console.print(table) if console.is_terminal else Console(width=160).print(table)


def as_json(measured: Sequence[Measured], forgiveness: Forgiveness) -> bytes:
    """Give everything, so that figures can be compared later."""
    return msgspec.json.format(
        msgspec.json.encode(
            {
                "machine": machine(),
                "scoring": {
                    "collar_seconds": to_seconds(forgiveness.collar),
                    "overlap": "skipped" if forgiveness.skip_overlap else "scored",
                    "words": NORMALISATION,
                },
                "configurations": [
                    {
                        "name": one.name,
                        "failure": one.failure or None,
                        "peak_mb": round(one.peak / 1e6, 1),
                        "results": [
                            row | {"stages": transcript.stages}
                            for row, (_, transcript, _) in zip(_rows(one), one.results, strict=False)
                        ],
                        "all": _row("all", one.results),
                    }
                    for one in measured
                ],
            }
        )
    )


def machine() -> dict[str, Any]:
    """Say what the figures were measured on."""
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "system": platform.system(), "colloquy": version("colloquy")}  # fmt: skip


def _rows(one: Measured) -> list[dict[str, Any]]:
    rows = [_row(file.name, [(file, transcript, scores)]) for file, transcript, scores in one.results]
    return [*rows, _row("all", one.results)] if len(rows) > 1 else rows


def _row(recording: str, results: Sequence[tuple[Path, Transcript, Scores]]) -> dict[str, Any]:
    duration = sum(transcript.media.decoded for _, transcript, _ in results)
    spent = sum(transcript.processing_ms for _, transcript, _ in results)
    rates = {name: pooled(rate(scores) for _, _, scores in results) for name, rate in _RATES.items()}
    return {
        "recording": recording,
        "seconds": to_seconds(duration),
        **{name: None if rate is None else round(rate.value, 4) for name, rate in rates.items()},
        "rtf": round(spent / duration, 4) if duration else None,
    }


def _footnote(forgiveness: Forgiveness) -> str:
    overlap = "not scored" if forgiveness.skip_overlap else "scored"
    collar = to_seconds(forgiveness.collar)
    return (
        f"DER: collar {collar:g} s to each side, overlapping speech {overlap}; JER: no collar, overlap scored. Words: "
        f"{NORMALISATION}. RTF: processing time by duration, less is faster. Peak: all processes of the configuration."
    )
