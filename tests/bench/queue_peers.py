"""The processes of `bench_queue`: `python queue_peers.py ROLE URL FILE`. Those of Celery run where this project is not.

A receiver appends a line `NUMBER NANOSECONDS` to its file for each job that it starts, and `ready` before that. A
sender reads numbers from its standard input and answers each with the time at which it began to send.
"""

import os
import sys
import time
from collections.abc import Callable

THREADS = 8
Send = Callable[[int], object]


def serve(send: Send) -> None:
    """Send one job for each line, or for each number of a line that names two."""
    for line in sys.stdin:
        first, _, last = line.strip().partition("-")
        started = time.time_ns()
        for number in range(int(first), int(last or first) + 1):
            send(number)
        print(first, started, flush=True)


def recorder(path: str) -> Send:
    """Return what a job does: it notes its number and the time."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def record(number: int) -> None:
        os.write(file, f"{number} {time.time_ns()}\n".encode())

    return record


def celery(role: str, url: str, path: str) -> None:
    """Celery with its threads pool; everything else as it comes."""
    from celery import Celery  # type: ignore[import-not-found] # noqa: PLC0415 - only where it is installed

    app = Celery("bench", broker=url)
    app.conf.broker_connection_retry_on_startup = True
    noop = app.task(recorder(path), name="noop", ignore_result=True)
    if role == "send":
        serve(noop.delay)
    else:
        app.worker_main(["worker", "--pool=threads", f"--concurrency={THREADS}", "--loglevel=ERROR"])


def dramatiq(role: str, url: str, path: str) -> None:
    """Dramatiq as it comes: eight threads, idle for up to a second."""
    import dramatiq as stock  # noqa: PLC0415 - as above
    from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415

    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    noop = stock.actor(actor_name="noop", broker=broker)(recorder(path))
    if role == "send":
        serve(noop.send)
    else:
        stock.Worker(broker).start()
        time.sleep(3600)


if __name__ == "__main__":
    {"celery": celery, "dramatiq": dramatiq}[sys.argv[1]](*sys.argv[2:5])
