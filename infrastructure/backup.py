"""A backup: one tar file with every row of one instant and the blobs that they need, each with its SHA-256.

It is taken beside a running service and restored onto an empty one, over the other database or blob store too. Keys are
in it as digests alone. It must not be mistaken for whole when it is not: what sums it up comes last. Where encryption
is on, blobs and texts are in it encrypted, with their wrapped keys: it needs ENCRYPTION_KEYS to be restored.
"""

import asyncio
import hashlib
import os
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO

from alembic.script import ScriptDirectory
from msgspec import DecodeError, Struct, json
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.keyring import refuse_strangers
from adapters.storage.encrypted import EncryptedBlobStore
from application.ports.blobs import BlobNotFound, BlobStore
from infrastructure.backup_rows import VAULT_KEYS, dump_rows, load_rows, refuse_rows, wrapping_keys
from infrastructure.database import MIGRATIONS

FORMAT = 1
_HEAD, _MISSING, _SUMS = "backup.json", "missing.txt", "SHA256SUMS"
_ROWS, _BLOBS = "rows/", "blobs/"
_KEYS = f"{_ROWS}{VAULT_KEYS}.jsonl"
_STEP = 1 << 20


class BadBackup(Exception):
    """The file is no backup, not a whole one, or one that this release cannot restore."""


class Head(Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: int
    release: str
    schema: str
    made_at: str


@dataclass(slots=True, kw_only=True)
class Contents:
    """What is in a backup: `missing` blobs were deleted while it was taken."""

    rows: int = 0
    blobs: int = 0
    bytes: int = 0
    missing: int = 0


async def make_backup(url: str, blobs: BlobStore, file: Path, *, made_at: str) -> Contents:
    """Write the backup; the file has its name once it is whole and on the disk.

    Raises:
        BadBackup: the database is not this release's.
    """
    partial = file.with_name(f"{file.name}.partial")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as name:
        folder = Path(name)
        schema, counts = await asyncio.to_thread(dump_rows, url, folder)
        if schema != (ours := _tables_of_this_release()):
            raise BadBackup(f"the database has tables {schema}, and these are {ours}: start the service first")
        contents = Contents(rows=sum(counts.values()))
        head = Head(format=FORMAT, release=version("colloquy"), schema=schema, made_at=made_at)
        with _private(partial) as out, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            archive = _Writer(tar, folder)
            archive.add_bytes(_HEAD, json.encode(head))
            for table in counts:
                archive.add(f"{_ROWS}{table}.jsonl", folder / f"{table}.jsonl")
            missing = [key async for key in _add_blobs(archive, blobs, folder, contents)]
            archive.add_bytes(_MISSING, "".join(f"{key}\n" for key in missing).encode())
            archive.close()
        contents.missing = len(missing)
    await asyncio.to_thread(_settle, partial, file)
    return contents


def _no_keys(wanted: set[str]) -> None:
    refuse_strangers(wanted, set())


async def restore_backup(
    file: Path, engine: AsyncEngine, stored: BlobStore, refuse_other_keys: Callable[[set[str]], None] = _no_keys
) -> Contents:
    """Put everything back: blobs first, then all rows at once, so that what was broken off can be begun again.

    Blobs go as they are into `stored`, where they lie encrypted if they are to be.

    Raises:
        BadBackup: it cannot be restored; no row was written.
        NotEmpty: there are rows already.
        NotConfigured: `refuse_other_keys` said so to the ids of the keys under which the backup is encrypted.
    """
    async with engine.connect() as connection:
        await refuse_rows(connection)
    contents = Contents()
    with tempfile.TemporaryDirectory(prefix="colloquy-restore-") as name:
        folder = Path(name)
        try:
            with tarfile.open(file, mode="r|") as tar:
                await _unpack(tar, stored, folder, contents, refuse_other_keys)
        except tarfile.TarError as error:
            raise BadBackup(f"{file} is not a whole backup: {error}") from error
        _check(folder)
        contents.rows = await load_rows(engine, folder)
        contents.missing = len((folder / _MISSING).read_text().splitlines())
    return contents


class _Writer:
    """A tar that is summed up while it grows."""

    def __init__(self, tar: tarfile.TarFile, folder: Path) -> None:
        self._tar = tar
        self._place = folder / _SUMS
        self._sums = self._place.open("w", encoding="utf-8")

    def add(self, name: str, path: Path) -> int:
        with path.open("rb") as file:
            info = self._tar.gettarinfo(arcname=name, fileobj=file)
            info.mode, info.uid, info.gid, info.uname, info.gname = 0o600, 0, 0, "", ""
            source = _Hashed(file)
            self._tar.addfile(info, source)
            self._sums.write(f"{source.hash.hexdigest()}  {name}\n")
            return info.size

    def add_bytes(self, name: str, content: bytes) -> None:
        place = self._place.with_name("member")
        place.write_bytes(content)
        self.add(name, place)

    def close(self) -> None:
        self._sums.close()
        self._tar.add(self._place, _SUMS)


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(size)
        self.hash.update(found)
        return found


async def _add_blobs(archive: _Writer, blobs: BlobStore, folder: Path, contents: Contents) -> AsyncIterator[str]:
    """Add those that the rows need; give the keys of those that have gone since."""
    with (folder / "blobs").open(encoding="ascii") as keys:
        for line in keys:
            key, spool = line.rstrip("\n"), folder / "blob"
            try:
                place = await _as_stored(blobs, key, spool)
                contents.bytes += await asyncio.to_thread(archive.add, f"{_BLOBS}{key}", place)
                contents.blobs += 1
            except (BlobNotFound, FileNotFoundError):
                yield key
            spool.unlink(missing_ok=True)


async def _as_stored(blobs: BlobStore, key: str, spool: Path) -> Path:
    """Return a file with the blob, encrypted where what is stored is to be, even if it is not yet."""
    if not isinstance(blobs, EncryptedBlobStore):
        return await blobs.fetch(key, spool)
    with _private(spool) as out:
        async with aclosing(blobs.encrypted(key)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(out.write, chunk)
    return spool


async def _unpack(
    tar: tarfile.TarFile,
    blobs: BlobStore,
    folder: Path,
    contents: Contents,
    refuse_other_keys: Callable[[set[str]], None],
) -> None:
    with (folder / "found").open("w", encoding="utf-8") as sums:
        for number, member in enumerate(tar):
            content = tar.extractfile(member)
            if content is None:
                raise BadBackup(f"there is no content to {member.name!r}")
            if member.name.startswith(_BLOBS):
                digest = (await blobs.put(member.name.removeprefix(_BLOBS), _chunks(content))).sha256
                contents.blobs, contents.bytes = contents.blobs + 1, contents.bytes + member.size
            elif member.name.startswith(_ROWS) or member.name in {_HEAD, _MISSING, _SUMS}:
                digest = await asyncio.to_thread(_keep, content, folder / Path(member.name).name)
            else:
                raise BadBackup(f"there is no place for {member.name!r}")
            if number == 0:
                _judge(folder / _HEAD)
            elif member.name == _KEYS:
                refuse_other_keys(wrapping_keys(folder))
            if member.name != _SUMS:
                sums.write(f"{digest}  {member.name}\n")


def _keep(content: IO[bytes], place: Path) -> str:
    source = _Hashed(content)
    with place.open("wb") as file:
        while chunk := source.read(_STEP):
            file.write(chunk)
    return source.hash.hexdigest()


async def _chunks(content: IO[bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(content.read, _STEP):
        yield chunk


def _judge(file: Path) -> None:
    try:
        head = json.decode(file.read_bytes(), type=Head)
    except (FileNotFoundError, DecodeError) as error:
        raise BadBackup("the file is no backup of Colloquy's") from error
    if (head.format, head.schema) != (FORMAT, ours := _tables_of_this_release()):
        raise BadBackup(
            f"it was made by release {head.release} with tables {head.schema}, and these are {ours}: "
            "restore it with that release, then start this one"
        )


def _tables_of_this_release() -> str | None:
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _check(folder: Path) -> None:
    """Compare what came with what was sent."""
    try:
        with (folder / "found").open(encoding="utf-8") as found, (folder / _SUMS).open(encoding="utf-8") as wanted:
            for ours, theirs in zip(found, wanted, strict=True):
                if ours != theirs:
                    raise BadBackup(f"{theirs.partition('  ')[2].strip()} is not as it was backed up")
    except (FileNotFoundError, ValueError) as error:
        raise BadBackup("the backup is not whole: its end is missing") from error


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600), "wb")


def _settle(partial: Path, file: Path) -> None:
    for path, after in ((partial, lambda: partial.replace(file)), (file.parent, lambda: None)):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        after()
