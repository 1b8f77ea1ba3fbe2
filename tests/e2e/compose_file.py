"""What compose.yaml and the Containerfile say, as Docker Compose understands it: merges, `${NAME:-default}`, mounts."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a service sees at `target`: a named volume, a file or folder of ours (`./…`), or memory."""

    source: str
    target: str
    read_only: bool

    @property
    def named(self) -> bool:
        return bool(self.source) and self.source[0] not in "./"


@dataclass(frozen=True, slots=True)
class Service:
    """One service, as it stands in the file."""

    name: str
    raw: Mapping[str, Any]

    @property
    def command(self) -> list[str]:
        """What runs: the entrypoint and its arguments; our images' entrypoint is `colloquy`."""
        entrypoint = self.raw.get("entrypoint") or (["colloquy"] if self.ours else [])
        return [*entrypoint, *self.raw.get("command", [])]

    @property
    def ours(self) -> bool:
        return str(self.raw["image"]).startswith(("colloquy-api", "colloquy-worker"))

    @property
    def target(self) -> str:
        """The stage of the Containerfile that its image is."""
        return str(self.raw["build"]["target"])

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.raw.get("environment", {}).items()}

    @property
    def needs(self) -> dict[str, str]:
        """The services that come first, and what they must have come to."""
        return {name: each["condition"] for name, each in self.raw.get("depends_on", {}).items()}

    def mounts(self) -> Iterator[Mount]:
        for each in self.raw.get("volumes", []):
            if isinstance(each, str):
                source, target, *options = each.split(":")
                yield Mount(source, target, options == ["ro"])
            else:
                yield Mount(each["source"], each["target"], bool(each.get("read_only")))
        for each in self.raw.get("tmpfs", []):
            yield Mount("", each.partition(":")[0], read_only=False)


class ComposeFile:
    """A compose file with its variables filled in from `variables`, else from their defaults."""

    def __init__(self, path: Path = ROOT / "compose.yaml", variables: Mapping[str, str] | None = None) -> None:
        self._variables = variables or {}
        self.raw: dict[str, Any] = self._filled(yaml.safe_load(path.read_text(encoding="utf-8")))
        self.services = {name: Service(name, raw) for name, raw in self.raw["services"].items()}

    def in_order(self, wanted: set[str]) -> list[Service]:
        """Those services, each after all that it needs."""
        placed: dict[str, Service] = {}

        def place(name: str) -> None:
            if name not in placed and name in wanted:
                for needed in self.services[name].needs:
                    place(needed)
                placed[name] = self.services[name]

        for name in self.services:
            place(name)
        return list(placed.values())

    def _filled(self, value: Any) -> Any:
        """Fill in variables after the file was read as YAML, so that no value of theirs can be taken for structure."""
        if isinstance(value, dict):
            return {name: self._filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if not isinstance(value, str):
            return value
        return _VARIABLE.sub(lambda found: self._variables.get(found[1]) or found[2] or "", value)


def image_environment(target: str) -> dict[str, str]:
    """The ENV of a stage of the Containerfile, but the PATH."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    stage, found = "", dict[str, str]()
    for line in text.splitlines():
        if line.startswith("FROM "):
            stage = line.split()[-1]
        elif line.startswith("ENV ") and stage == target:
            found |= dict(each.split("=", 1) for each in shlex.split(line)[1:])
    found.pop("PATH", None)
    return found
