"""`colloquy sweeper`: the sweep and the chores alone, so that neither hangs on an API that is scaled away or swamped.

Any number may run beside any number of other processes, which sweep too: whose turn it is stands in the database.
"""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from entrypoints.beating import beating
from entrypoints.lifetime import live
from entrypoints.numbers import showing
from entrypoints.probe import Probe
from entrypoints.shared import join
from entrypoints.work import SWEEP_SECONDS, lend_threads
from infrastructure.container import Container
from infrastructure.settings import Settings


class SweeperProcess:
    """Sweeps, as an async context; it takes no task and serves nobody."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.container = Container(settings=settings)
        self.probe = Probe(self.container, settings, works=False, keeps=False)
        self._undo = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Wait for the database and the store, then sweep.

        Raises:
            DataFolderBusy: a whole service in one process has the data folder.
        """
        async with AsyncExitStack() as undo:
            lend_threads(0)
            await undo.enter_async_context(beating(self.settings, "sweeper", self.probe))
            await undo.enter_async_context(showing(self.container, self.settings, self.probe, whole=True))
            await join(self.container, self.settings, self.settings.work_dir, undo)
            await self.probe.forget()
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything; a chore that is cut off is done at its next turn, here or elsewhere."""
        await self._undo.aclose()


async def sweep_until_signalled(settings: Settings) -> None:
    """Sweep until SIGTERM or SIGINT; a second one ends the process at once."""
    await live(SweeperProcess(settings), "sweeper", lambda _: {"every_seconds": SWEEP_SECONDS})
