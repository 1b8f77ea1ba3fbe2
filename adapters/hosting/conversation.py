"""One call of an engine child, from the parent's side: sending it, relaying its progress, noticing that it hangs.

It must not start, end or replace a process.
"""

from adapters.hosting.messages import Call, Done, Failed, Loaded, Progress, Ready, Taken
from adapters.hosting.process import ChildGone, ChildProcess, ChildStuck
from adapters.hosting.watchdog import Watchdog
from application.ports.system import ProgressSink

BEAT_SECONDS = 0.25
"""How often the sink is called while nothing comes: cancellation reaches a busy child this fast."""


def converse(
    process: ChildProcess, call: Call, watchdog: Watchdog, on_progress: ProgressSink, *, by_cpu: bool
) -> Done | Failed:
    """Have the child do the call, once it is ready for one; `by_cpu` says that the call computes on the CPU.

    Raises:
        ChildGone: it died.
        ChildStuck: it hangs.
    """
    fraction = 0.0
    watchdog.begin()
    if process.ready:
        process.send(call)
    while True:
        on_progress(fraction)
        message = process.receive(BEAT_SECONDS)
        # On a GPU no step needs minutes, and waiting for one keeps a core busy; loading a model is the CPU's work.
        watchdog.look(process.work if by_cpu or not process.ready else 0.0)
        match message:
            case Ready():
                process.is_ready(message)
                process.send(call)
                watchdog.heard()
            case Loaded():
                process.loads.append((message.model, message.seconds))
            case Taken():
                process.took = True
            case Progress() if message.fraction > fraction:  # saying the same again is no progress
                fraction = message.fraction
                watchdog.heard()
            case Done():
                watchdog.heard()
                on_progress(message.fraction)
                return message
            case Failed():
                return message
            case _ if why := watchdog.verdict:
                raise ChildStuck(why)


def is_well(process: ChildProcess) -> bool:
    """Take in what a child that was started ahead has said meanwhile; False when it has no adapter to call."""
    try:
        message = None if process.ready else process.receive(0)
        while isinstance(message, Loaded):
            process.loads.append((message.model, message.seconds))
            message = process.receive(0)
    except (ChildGone, ChildStuck):
        return False
    if isinstance(message, Ready):
        process.is_ready(message)
    return process.ready or message is None
