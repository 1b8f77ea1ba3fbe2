"""One model as one tar file, for machines that reach no hub; taken in only as plain files with their digests.

It must not trust a parcel: no path out of its directory, no link, no device, nothing that its manifest does not name.
"""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from adapters.catalogue import CATALOGUE
from adapters.catalogue.shelf import MANIFEST, Manifest, describe, verify
from domain.errors import EngineUnavailable

_BLOCK = 1 << 20
_LARGEST_MANIFEST = 1 << 20
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def pack(name: str, folder: Path, parcel: Path) -> int:
    """Write a model's directory to `parcel` and return its bytes; the manifest is first in it, made here if missing.

    The file has its name only once it is whole.

    Raises:
        EngineUnavailable: the weights are not what their manifest says.
    """
    manifest = Manifest.read(folder) or describe(name, folder, CATALOGUE.get(name))
    if wrong := list(verify(folder, CATALOGUE.get(name))) if name in CATALOGUE or Manifest.read(folder) else []:
        raise EngineUnavailable(f"'{name}' is not packed, for {wrong[0]}")
    partial = parcel.with_name(f".{parcel.name}.part")
    try:
        with tarfile.open(partial, "w") as tar:
            about = tarfile.TarInfo(f"{name}/{MANIFEST}")
            about.size = len(manifest.content)
            tar.addfile(about, io.BytesIO(manifest.content))
            for held in manifest.files:
                tar.add((folder / held.path).resolve(), arcname=f"{name}/{held.path}", filter=_anonymous)
        partial.rename(parcel)
    except OSError as exc:
        raise EngineUnavailable(f"the parcel cannot be written: {exc.strerror}") from exc
    finally:
        partial.unlink(missing_ok=True)
    return parcel.stat().st_size


def unpack(
    parcel: Path, models_dir: Path, report: Callable[[int], None], *, admit: Callable[[str], None], again: bool = False
) -> str:
    """Take the model of a parcel into `models_dir` and return its name; `report` hears the bytes that are in.

    `admit` gets the name before anything is stored, and may raise.

    Raises:
        EngineUnavailable: it is no parcel, it is not what its manifest or the catalogue says, or there is no room.
    """
    try:
        with tarfile.open(parcel, "r:") as tar:
            name, manifest = _first(tar, tar.next())
            admit(name)
            return _unpack(tar, name, manifest, models_dir, report, again=again)
    except tarfile.TarError as exc:
        raise EngineUnavailable(f"'{parcel.name}' is no parcel of a model") from exc
    except OSError as exc:
        raise EngineUnavailable(f"'{parcel.name}' cannot be taken in: {exc.strerror}") from exc


def _unpack(
    tar: tarfile.TarFile, name: str, manifest: Manifest, models_dir: Path, report: Callable[[int], None], *, again: bool
) -> str:
    final, partial = models_dir / name, models_dir / f".{name}.import"
    if final.exists() and not again:
        raise EngineUnavailable(f"there is a model '{name}' already")
    needed = sum(held.size for held in manifest.files)
    models_dir.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(models_dir).free < needed:
        raise EngineUnavailable(f"model '{name}' needs {needed / 1e6:,.0f} MB of disk, more than is free")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _take_in(tar, name, manifest, partial, report)
        manifest.write(partial)
        if wrong := list(verify(partial, CATALOGUE.get(name))):
            raise EngineUnavailable(f"'{name}' is not taken in, for {wrong[0]}")
        if final.exists():
            final.rename(models_dir / f".{name}.old")
        partial.rename(final)
        shutil.rmtree(models_dir / f".{name}.old", ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return name


def _first(tar: tarfile.TarFile, member: tarfile.TarInfo | None) -> tuple[str, Manifest]:
    """Read the manifest, which says what else may be in the parcel."""
    name = PurePosixPath(member.name).parts[0] if member and member.name else ""
    content = tar.extractfile(member) if member and member.isreg() and member.size <= _LARGEST_MANIFEST else None
    manifest = Manifest.parse(content.read()) if content else None
    if manifest is None or member is None or member.name != f"{name}/{MANIFEST}" or manifest.name != name:
        raise EngineUnavailable("the parcel does not begin with the manifest of a model")
    if name.startswith(".") or set(name) - _NAME_CHARACTERS:
        raise EngineUnavailable("the parcel's model has a name that may not be a directory's")
    return name, manifest


def _take_in(tar: tarfile.TarFile, name: str, manifest: Manifest, into: Path, report: Callable[[int], None]) -> None:
    wanted = {f"{name}/{held.path}": held for held in manifest.files if _is_inside(held.path)}
    arrived = 0
    for member in tar:
        held = wanted.pop(member.name, None)
        if held is None and member.name == f"{name}/{MANIFEST}":
            continue
        if held is None or not member.isreg() or member.size != held.size:
            raise EngineUnavailable("the parcel holds what its manifest does not name")
        content = tar.extractfile(member)
        place = into / held.path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as stored:
            while content and (block := content.read(_BLOCK)):
                arrived += stored.write(block)
                report(arrived)
    if wanted:
        raise EngineUnavailable(f"the parcel lacks {next(iter(wanted))}")


def _is_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not PurePosixPath(path).is_absolute() and ".." not in parts


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose files they were."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
