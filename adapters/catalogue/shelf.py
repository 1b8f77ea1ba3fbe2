"""Which weights lie on this machine, and whether they are what was published.

Beside weights that were fetched or brought in lies a manifest: the revision, and each file's size and digest. It must
not touch the network, and nothing here reads a whole file but `verify`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.catalogue.entries import Weights

MANIFEST = ".colloquy.json"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Held:
    """A file as it was when it was stored."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a directory of weights was when it was stored; `revision` is a commit, or empty for what was brought in."""

    name: str
    repository: str
    revision: str
    licence: str
    files: tuple[Held, ...]

    @property
    def content(self) -> bytes:
        """It as it is stored."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()

    def write(self, folder: Path) -> None:
        """Store it beside the weights."""
        (folder / MANIFEST).write_bytes(self.content)

    @staticmethod
    def read(folder: Path) -> "Manifest | None":
        """Return the manifest of a directory, or None where there is none that can be read."""
        try:
            return Manifest.parse((folder / MANIFEST).read_bytes())
        except OSError:
            return None

    @staticmethod
    def parse(content: bytes) -> "Manifest | None":
        """Return the manifest that was stored as `content`, or None when it is none."""
        try:
            told = json.loads(content)
            files = tuple(Held(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in told["files"])
            about = {key: str(told[key]) for key in ("name", "repository", "revision", "licence")}
            return Manifest(**about, files=files)
        except (ValueError, TypeError, KeyError):
            return None


def places(name: str, repository: str, revision: str | None, models_dir: Path, hub_cache: Path | None) -> list[Path]:
    """Return where a model's directory may be: in `models_dir`, else in the hub library's own cache.

    Of the cache that commit counts which is pinned here, then the one that its `refs/main` names: somebody fetched it
    with the hub's own tools. https://huggingface.co/docs/huggingface_hub/guides/manage-cache has the layout.
    """
    found = [models_dir / name]
    if repository:
        cache = hub_cache or Path("~/.cache/huggingface/hub").expanduser()
        entry = cache / f"models--{repository.replace('/', '--')}"
        if revision:
            found.append(entry / "snapshots" / revision)
        reference = entry / "refs" / "main"
        if reference.is_file():
            found.append(entry / "snapshots" / reference.read_text(encoding="ascii").strip())
    return found


def find(
    weights: Weights, models_dir: Path, hub_cache: Path | None = None, *, whole: Callable[[Path], bool] | None = None
) -> Path | None:
    """Return the directory of a model of the catalogue, or None when it is not whole on this machine.

    Whole is a directory with every file of the entry, unless `whole` says otherwise.
    """
    whole = whole or (lambda folder: all((folder / file.path).is_file() for file in weights.files))
    there = places(weights.name, weights.repository, weights.revision, models_dir, hub_cache)
    return next((folder for folder in there if whole(folder)), None)


def verify(folder: Path, weights: Weights | None = None) -> Iterator[str]:
    """Compare every file with the manifest, or with the catalogue where there is none; yield what is wrong.

    What the catalogue states holds against a manifest too: a manifest is only as trustworthy as its directory.
    """
    manifest = Manifest.read(folder)
    known = {file.path: (file.size, file.sha256) for file in manifest.files} if manifest else {}
    stated = {file.path: (file.size, file.sha256) for file in weights.files if file.sha256} if weights else {}
    if not known and not stated:
        yield "there is no manifest, and nothing is published to compare it with"
    for path, (size, digest) in {**known, **stated}.items():
        file = folder / path
        if not file.is_file():
            yield f"{path} is missing"
        elif file.stat().st_size != size:
            yield f"{path} has {file.stat().st_size} bytes, not {size}"
        elif digest_of(file) != digest:
            yield f"{path} does not have its digest"


def describe(name: str, folder: Path, weights: Weights | None = None) -> Manifest:
    """Make the manifest of a directory that somebody else filled: of the files of `weights`, or else of all."""
    if weights:
        paths = [file.path for file in weights.files]
        about = (weights.repository, weights.revision or "", weights.licence)
    else:
        paths = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        about = ("", "", "")
    held = tuple(Held(path, (folder / path).stat().st_size, digest_of(folder / path)) for path in paths)
    return Manifest(name, *about, held)


def digest_of(file: Path) -> str:
    """Return a file's SHA-256."""
    told = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            told.update(block)
    return told.hexdigest()
