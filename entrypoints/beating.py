"""The pulse of a process: while its event loop runs and it can see to its parts, it says so where supervisors look."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from infrastructure.pulse import Pulse
from infrastructure.settings import Settings

BEAT_SECONDS = 5.0
Look = Callable[[], Awaitable[Mapping[str, str]]]


class Beating:
    """What is said at each beat beside how the parts are: the `url` where the process serves, once it does."""

    def __init__(self, pulse: Pulse, look: Look) -> None:
        self._pulse = pulse
        self._look = look
        self.url = ""

    async def forever(self) -> None:
        """Look at the parts and say how they are; what they are makes no difference to whether it is said."""
        while True:
            parts = await self._look()
            with suppress(OSError):
                await asyncio.to_thread(self._pulse.beat, parts, self.url)
            await asyncio.sleep(BEAT_SECONDS)


@asynccontextmanager
async def beating(settings: Settings, role: str, look: Look) -> AsyncIterator[Beating]:
    """Keep the pulse going for as long as the context lasts; `look` must come back soon, and raise nothing."""
    pulse = Pulse(settings.pulse_dir, role)
    await asyncio.to_thread(pulse.begin)
    beats = Beating(pulse, look)
    running = asyncio.create_task(beats.forever())
    try:
        yield beats
    finally:
        running.cancel()
        await asyncio.wait([running])
        await asyncio.to_thread(pulse.end)
