"""Growing files on disk: their contract, what a crash leaves, and a full volume."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from adapters.storage.growing_files import LocalGrowingFile, LocalGrowingFiles
from application.ports.resumables import FileHeld
from domain.errors import StorageFull
from tests.contracts.resumables import GrowingFilesContract

NAME = UUID(int=5)


@pytest.fixture
def files(tmp_path: Path) -> LocalGrowingFiles:
    (tmp_path / "growing").mkdir(mode=0o700)
    return LocalGrowingFiles(tmp_path / "growing")


@pytest.fixture
def again(files: LocalGrowingFiles, tmp_path: Path) -> LocalGrowingFiles:  # noqa: ARG001 - which made the folder
    return LocalGrowingFiles(tmp_path / "growing")


class TestLocalGrowingFiles(GrowingFilesContract, adapter=LocalGrowingFiles): ...


class TestLocalGrowingFile(GrowingFilesContract, adapter=LocalGrowingFile): ...


KILLED = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from adapters.storage.growing_files import LocalGrowingFiles

async def main():
    async with LocalGrowingFiles(Path(sys.argv[1])).hold(UUID(int=5)) as file:
        await file.append(b"x" * 2_000_000)
        if sys.argv[2] == "guarded":
            await file.guard()
        await file.append(b"y" * 2_000_000)
        print("there", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize(("how", "size"), [("plain", 4_000_000), ("guarded", 2_000_000)])
async def test_a_killed_process_leaves_what_counts(
    files: LocalGrowingFiles, tmp_path: Path, how: str, size: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "growing"), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:  # noqa: ASYNC220 - its first line is all that is waited for
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"there\n"
        with pytest.raises(FileHeld):
            await files.hold(NAME).__aenter__()
        os.kill(process.pid, signal.SIGKILL)
    assert await files.size(NAME) == size
    async with files.hold(NAME) as file:
        assert file.size == size
        await file.append(b"z")
    assert await files.size(NAME) == size + 1


async def test_a_full_volume_takes_nothing_in(files: LocalGrowingFiles, tmp_path: Path) -> None:
    with pytest.raises(StorageFull):
        await LocalGrowingFiles(tmp_path / "growing", min_free_percent=100).hold(NAME).__aenter__()
    assert list(await files.names()) == []


async def test_what_fits_stays_when_the_disk_is_full(files: LocalGrowingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> None:
        async with files.hold(NAME) as file:
            await file.append(b"x" * 2_000_000)
            monkeypatch.setattr(file, "_write", full)
            await file.append(b"y" * 2_000_000)

    def full(_: list[bytes]) -> None:
        raise StorageFull("there is no room left for the file")

    with pytest.raises(StorageFull):
        await fill()
    assert await files.size(NAME) == 2_000_000
