"""Connections to an object store that lose patience in time: every request has its tries and one end for all of them.

It must not be imported before an object store is used: nothing else needs what it needs.
"""

import threading
import time
from typing import Any

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from adapters.storage.patience import Patience

_BUSY = frozenset({500, 502, 503, 504})
_PIECE = 64 * 1024
_LEAST_SECONDS = 0.01


class _Deadline(threading.local):
    """What the operation that runs in this thread may still wait for."""

    until = float("inf")
    send = 30.0


_now = _Deadline()


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:  # noqa: ANN401 - whatever a body may be
        """Send in pieces, each within the time for reading.

        Sockets count their time-out for a whole call, and urllib3 leaves the one for connecting in force: a part of
        eight MB would have to be away within three seconds.
        """
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_now.send)
        if not isinstance(data, bytes):
            super().send(data)
            return
        rest = memoryview(data)
        for start in range(0, len(rest), _PIECE):
            super().send(rest[start : start + _PIECE])


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class PatientPool(PoolManager):
    """Asks again after a failure that may pass, until `patience` is at its end."""

    def __init__(self, patience: Patience, *, connections: int) -> None:
        super().__init__(maxsize=connections)
        self.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._patience = patience

    def begin(self) -> None:
        """Start the clock for what this thread asks next; every answer starts it anew."""
        _now.until = time.monotonic() + self._patience.total

    def urlopen(self, method: str, url: str, redirect: bool = False, **kw: Any) -> BaseHTTPResponse:  # type: ignore[override]  # noqa: ANN401, FBT001, FBT002
        """Send a request and return the answer, whatever it says after the last try."""
        patience = self._patience
        for attempt in range(1, patience.tries + 1):
            left = max(_LEAST_SECONDS, _now.until - time.monotonic())
            _now.send = min(patience.read, left)
            timeout = Timeout(connect=min(patience.connect, left), read=_now.send)
            last = attempt == patience.tries
            try:
                response = super().urlopen(method, url, redirect=redirect, retries=False, timeout=timeout, **kw)
            except HTTPError:
                if last or time.monotonic() >= _now.until:
                    raise
            else:
                if last or response.status not in _BUSY:
                    self.begin()
                    return response
                response.drain_conn()
                response.release_conn()
            time.sleep(min(patience.pause * 2 ** (attempt - 1), max(0.0, _now.until - time.monotonic())))
        raise AssertionError("unreachable")
