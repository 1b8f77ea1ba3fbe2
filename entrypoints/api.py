"""The API alone, as an async context: it accepts, answers and sweeps, and leaves the work to workers elsewhere."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from entrypoints.beating import Beating, beating
from entrypoints.http.app import ApiDependencies
from entrypoints.http.dependencies import api_dependencies
from entrypoints.numbers import Numbers, showing
from entrypoints.probe import Probe
from entrypoints.shared import join
from entrypoints.work import lend_threads
from infrastructure.container import Container
from infrastructure.settings import Settings


class Api:
    """Has no slots and starts no engine; what the engines can do it knows without them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.container = Container(settings=settings)
        self.container.works_elsewhere.override(True)  # noqa: FBT003 - a provider's value
        self.spool_dir = settings.spool_dir
        self.probe = Probe(self.container, settings, works=False)
        self.beats: Beating
        self.numbers: Numbers
        self._undo = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Wait for the database and the store.

        Raises:
            DataFolderBusy: a whole service in one process has the data folder.
        """
        async with AsyncExitStack() as undo:
            lend_threads(0)
            self.beats = await undo.enter_async_context(beating(self.settings, "api", self.probe))
            shown = showing(self.container, self.settings, self.probe, whole=True)
            self.numbers = await undo.enter_async_context(shown)
            self.spool_dir = await join(self.container, self.settings, self.settings.spool_dir, undo)
            await self.probe.forget()
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything."""
        await self._undo.aclose()

    def api(self) -> ApiDependencies:
        """The use cases that the HTTP API drives."""
        return api_dependencies(self.container, self.probe, self.numbers)
