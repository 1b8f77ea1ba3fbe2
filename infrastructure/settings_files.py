"""Settings that stand in files, as secrets of containers do: NAME_FILE is the path of a file that holds NAME's value.

Nothing of what a file holds is ever said, only its path.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

_SUFFIX = "_FILE"
_LARGEST = 1 << 16
"""Bytes; no setting is longer, and a path such as /dev/zero has no end."""


def with_files(environment: Mapping[str, str], known: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return the environment with the value of each file under its setting's own name, and what is wrong with files."""
    values, problems = dict(environment), list[str]()
    for name in sorted(known):
        path = values.pop(name + _SUFFIX, None)
        if path is None:
            continue
        if name in environment:
            problems.append(f"{name} and {name}{_SUFFIX} are both set: one of them is enough")
            continue
        try:
            values[name] = _content(Path(path))
        except OSError as error:
            problems.append(f"{name}{_SUFFIX}: cannot read {path}: {error.strerror}")
        except ValueError as error:
            problems.append(f"{name}{_SUFFIX}: {path} {error}")
    return values, problems


def _content(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("is larger than any setting")
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("is no text") from None
    if not text:
        raise ValueError("is empty")
    return text
