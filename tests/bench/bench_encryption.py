"""What encryption at rest costs an upload: a recording is written to the spool, taken over and read back, both ways.

The store that does not encrypt moves the finished file, so the other one also pays for writing it a second time.
"""

import asyncio
import secrets
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

from adapters.keyring import Keyring
from adapters.persistence.memory import MemoryDatabase, MemoryUnitOfWork
from adapters.storage.encrypted import EncryptedBlobStore
from adapters.storage.filesystem import FilesystemBlobStore
from adapters.system import SystemClock, Uuid7Factory
from application.ports.blobs import BlobStore

MEGABYTES, ROUNDS = 256, 5
_PIECE = secrets.token_bytes(1 << 20)


async def upload(store: BlobStore, folder: Path) -> float:
    """Return the seconds until the recording is durable in the store."""
    file = folder / "spooled"
    began = time.perf_counter()
    with file.open("wb", 0) as spool:
        for _ in range(MEGABYTES):
            await asyncio.to_thread(spool.write, _PIECE)
    await store.adopt("media/a", file)
    return time.perf_counter() - began


async def read(store: BlobStore) -> float:
    """Return the seconds that reading it back takes."""
    began = time.perf_counter()
    async for _ in store.open("media/a"):
        pass
    return time.perf_counter() - began


async def main() -> None:
    """Measure."""
    database = MemoryDatabase(SystemClock())
    vault = Keyring([secrets.token_bytes(32)], lambda: MemoryUnitOfWork(database), Uuid7Factory())
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        plain = FilesystemBlobStore(folder / "plain")
        sealed = EncryptedBlobStore(FilesystemBlobStore(folder / "sealed"), vault)
        await vault.open()
        times: dict[str, list[float]] = {each: [] for each in ("plain up", "sealed up", "plain down", "sealed down")}
        spent = dict.fromkeys(times, 0.0)
        for _ in range(ROUNDS):
            for what, store in (("plain", plain), ("sealed", sealed)):
                before = time.process_time()
                times[f"{what} up"].append(await upload(store, folder))
                spent[f"{what} up"] += time.process_time() - before
                times[f"{what} down"].append(await read(store))
        tracemalloc.start()
        await upload(sealed, folder)
        await read(sealed)
        peak = tracemalloc.get_traced_memory()[1] / (1 << 20)
    median = {what: statistics.median(each) for what, each in times.items()}
    for what, seconds in median.items():
        print(f"{what:<12} {MEGABYTES / seconds:7.0f} MB/s")
    print(f"memory at most: {peak:.1f} MB beyond what was there")
    print(f"processor: {(spent['sealed up'] - spent['plain up']) / MEGABYTES / ROUNDS * 1000:.2f} ms more for each MB")


if __name__ == "__main__":
    asyncio.run(main())
