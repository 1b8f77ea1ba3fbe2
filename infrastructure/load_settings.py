"""Turns environment variables into `Settings`, or into a list of everything that is wrong with them.

A variable's name is its group's and its field's, in capitals: `asr.engine` is `ASR_ENGINE`. Any may stand in a file
instead, which `ASR_ENGINE_FILE` then names.
"""

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import msgspec

from infrastructure.access_settings import exposed
from infrastructure.contradictions import contradictions
from infrastructure.settings import Settings
from infrastructure.settings_files import with_files

_OWN_PREFIXES = ("ASR_", "DIARIZATION_", "MODELS_", "ENGINE_", "ENCRYPTION_", "COLLOQUY_")
"""No other program's variables start like these; those of other groups (`API_`, `LOG_`, `MAX_`) may be anybody's."""
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):([^/@]*)(?=@)")
_MASK = "********"
_NEAR_MISS = 0.85
_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK")
"""What switches it off; ONNX Runtime (1.31) begins when it is imported, and heeds nothing that is called after."""
_INHERITED = frozenset(
    {
        "PATH",
        "HOME",
        "LANG",
        "LC_ALL",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "CT2_USE_MKL",  # whose sums CTranslate2 takes on a CPU
        "HF_HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
    }
)


class BadSettings(Exception):
    """The configuration cannot be used; `problems` lists every reason, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its name, the path of its field, its type, its default, and what it does."""

    name: str
    path: tuple[str, ...]
    kind: Any
    default: object
    description: str
    secret: bool = False


def variables(group: type[msgspec.Struct] = Settings, path: tuple[str, ...] = ()) -> Iterator[Variable]:
    """Every variable there is, in the order of the settings."""
    for item in msgspec.structs.fields(group):
        here = (*path, item.name)
        if isinstance(item.type, type) and issubclass(item.type, msgspec.Struct):
            yield from variables(item.type, here)
        else:
            meta = next(
                (part for part in getattr(item.type, "__metadata__", ()) if isinstance(part, msgspec.Meta)), None
            )
            description, extra = (meta.description, meta.extra) if meta else ("", None)
            secret = bool((extra or {}).get("secret"))
            yield Variable("_".join(here).upper(), here, item.type, item.default, description or "", secret)


def load_settings(
    environment: Mapping[str, str] | None = None, *, changed: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings from the process's environment, or from the one given; `changed` goes before both.

    Raises:
        BadSettings: with every unknown name, wrong value and contradiction.
    """
    known = {variable.name: variable for variable in variables()}
    given, problems = with_files(
        os.environ if environment is None else environment,  # noqa: TID251 - the one place that reads it
        known,
    )
    given |= changed or {}
    problems += _unknown(given, known)
    tree: dict[str, Any] = {}
    for name, variable in known.items():
        if name not in given:
            continue
        try:
            value = msgspec.convert(given[name].strip(), variable.kind, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{name}: {_sentence(error)} (it is {_shown(given[name], variable)!r})")
            continue
        if isinstance(value, float) and not isfinite(value):
            problems.append(f"{name}: it must be a number that ends (it is {given[name]!r})")
            continue
        branch = tree
        for step in variable.path[:-1]:
            branch = branch.setdefault(step, {})
        branch[variable.path[-1]] = value
    if problems:
        raise BadSettings(problems)
    settings = msgspec.convert(tree, Settings)
    if problems := [*contradictions(settings, given), *_exposed(settings, given)]:
        raise BadSettings(problems)
    return settings


def keep_quiet() -> None:
    """Have no library of this process write to its makers; before any of them is imported."""
    os.environ.update(dict.fromkeys(_TELEMETRY, "1"))  # noqa: TID251 - as above


def inherited_environment() -> dict[str, str]:
    """What an engine's process may see of this one's environment: where things are, and none of the settings."""
    return {name: value for name, value in os.environ.items() if name in _INHERITED}  # noqa: TID251 - as above


def effective(settings: Settings) -> list[tuple[str, str]]:
    """Return every variable with its value in force, passwords in addresses masked."""
    return [(variable.name, _shown(str(_value(settings, variable.path)), variable)) for variable in variables()]


def secret_values(settings: Settings) -> list[str]:
    """Return every secret that is in force: what no line of the log may hold."""
    values = [(variable, str(_value(settings, variable.path))) for variable in variables()]
    whole = [value for variable, value in values if variable.secret and value]
    return [*whole, *(found[2] for _, value in values for found in _PASSWORD.finditer(value) if found[2])]


def markdown_table() -> str:
    """Return the configuration as the README shows it, so that the two cannot drift apart."""
    rows = ["| Variable | Default | What it does |", "|---|---|---|"]
    for variable in variables():
        default = str(variable.default)
        shown = "`data` beside the code" if variable.name == "DATA_DIR" else f"`{default}`" if default else "empty"
        rows.append(f"| `{variable.name}` | {shown} | {variable.description} |")
    return "\n".join(rows)


def _unknown(given: Mapping[str, str], known: Mapping[str, Variable]) -> Iterator[str]:
    for name in sorted(given):
        if name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR_MISS)
        if near or name.startswith(_OWN_PREFIXES):
            hint = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            yield f"{name}: there is no such setting" + (f"; did you mean {hint[0]}?" if hint else "")


def _exposed(settings: Settings, given: Mapping[str, str]) -> Iterator[str]:
    named = {variable.name: variable for variable in variables() if variable.name in given}
    return exposed(
        settings.api.host,
        anonymous=settings.anonymous == "local",
        secrets={name: given[name].strip() for name, variable in named.items() if variable.secret},
        addresses={name: given[name].strip() for name in named if name.endswith("_URL")},
    )


def _sentence(error: msgspec.ValidationError) -> str:
    return str(error).partition(" - at ")[0]


def _value(settings: Settings, path: tuple[str, ...]) -> object:
    value: object = settings
    for step in path:
        value = getattr(value, step)
    return value


def _shown(value: str, variable: Variable) -> str:
    if variable.secret:
        return _MASK if value else ""
    return _PASSWORD.sub(rf"\1:{_MASK}", value)
