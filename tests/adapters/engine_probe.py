"""What the tests of the engine boundary run in a child; a module of its own, so that a child imports little."""

import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from adapters.scripted.diarizer import ScriptedDiarizer
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span


class Probe:
    """Methods as an engine has them: arguments, then a progress sink."""

    def __init__(self, *, breaks_unpickling: bool = False) -> None:
        self.breaks_unpickling = breaks_unpickling

    def __setstate__(self, state: dict[str, bool]) -> None:
        self.__dict__.update(state)
        if self.breaks_unpickling:
            message = "cannot be unpickled"
            raise RuntimeError(message)

    def pid(self, on_progress: ProgressSink) -> int:
        on_progress(1.0)
        return os.getpid()

    def echo(self, value: object, _: ProgressSink) -> object:
        return value

    def environment(self, _: ProgressSink) -> dict[str, str]:
        return dict(os.environ)  # noqa: TID251 - to look at it is the purpose

    def modules(self, _: ProgressSink) -> set[str]:
        return set(sys.modules)

    def oom_score(self, _: ProgressSink) -> str:
        return Path("/proc/self/oom_score_adj").read_text(encoding="ascii")

    def unpicklable(self, _: ProgressSink) -> object:
        return threading.Lock()

    def fail(self, error: Exception, _: ProgressSink) -> None:
        raise error

    def fail_from(self, error: Exception, cause: Exception, _: ProgressSink) -> None:
        raise error from cause

    def fail_from_itself(self, error: Exception, _: ProgressSink) -> None:
        raise error from error

    def leave(self, code: int, _: ProgressSink) -> None:
        os._exit(code)

    def chatter(self, size: int, _: ProgressSink) -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.write("x" * size)
            stream.flush()

    def repeat(self, seconds: float, step: float, on_progress: ProgressSink) -> None:
        """Report for `seconds`, a fraction that grows by `step` each time."""
        fraction, begun = 0.0, time.monotonic()
        while time.monotonic() - begun < seconds:
            fraction += step
            on_progress(fraction)
            time.sleep(0.02)

    def steps(self, fractions: list[float], pause: float, on_progress: ProgressSink) -> None:
        for fraction in fractions:
            on_progress(fraction)
            time.sleep(pause)

    def compute(self, seconds: float, _: ProgressSink) -> int:
        """Keep a core busy and say nothing."""
        begun = time.thread_time()
        while time.thread_time() - begun < seconds:
            sum(range(10_000))
        return os.getpid()

    def helper(self, _: ProgressSink) -> int:
        return subprocess.Popen(["sleep", "3600"]).pid

    def half_a_message(self, _: ProgressSink) -> None:
        """Begin a message of a thousand bytes on the socket that the parent listens to, and say no more."""
        os.write(int(sys.argv[2]), struct.pack("!i", 1_000) + b"half")
        time.sleep(60)


class SlowToLoad(Probe):
    """Computes for two seconds before it is ready."""

    def load(self) -> None:
        self.compute(2.0, lambda _: None)


class Voices(ScriptedDiarizer):
    """Has voices besides turns: the id of the process that listened to them."""

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        self._performance.call(0, audio.duration, on_progress)
        return tuple((float(os.getpid()),) for _ in spans)
