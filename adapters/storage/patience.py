"""How long an object store is waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to connect, for the next byte either way, between two tries, and in total without any answer.

    Somebody who submits a recording, and a task that has a lease, should hear within a minute that the store is away.
    """

    connect: float = 3.0
    read: float = 30.0
    pause: float = 0.5
    total: float = 60.0
    tries: int = 3
