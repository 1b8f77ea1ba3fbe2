"""What the children of one process have found out about the devices they share: which one is not to be trusted.

It must not touch a device: it only counts how processes on it ended.
"""

import threading
import time

import structlog

from domain.errors import DeviceUnavailable

_STRIKES = 3
"""Sticky errors in a row: one may be a recording's fault and two a coincidence."""

_log = structlog.get_logger()


class Devices:
    """Counts sticky errors by device, and takes one out of service for `cooldown` seconds after three in a row.

    After that time one more error takes it out again, and one success clears it. Thread-safe.
    """

    def __init__(self, cooldown: float = 600.0) -> None:
        self._cooldown = cooldown
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._back_at: dict[str, float] = {}

    def failed(self, device: str) -> None:
        """Count a sticky error: the device is suspect, and out of service at the third."""
        device = canonical(device)
        with self._lock:
            failures = self._failures[device] = self._failures.get(device, 0) + 1
            out = failures >= _STRIKES
            if out:
                self._back_at[device] = time.monotonic() + self._cooldown
        if out:
            _log.error("device_out_of_service", device=device, failures=failures, seconds=self._cooldown)
        else:
            _log.warning("device_suspect", device=device, failures=failures)

    def worked(self, device: str) -> None:
        """Clear a device: a whole call has gone well on it."""
        device = canonical(device)
        with self._lock:
            cleared = self._failures.pop(device, 0)
            self._back_at.pop(device, None)
        if cleared:
            _log.info("device_trusted_again", device=device)

    def require(self, device: str) -> None:
        """Make sure that the device may be used.

        Raises:
            DeviceUnavailable: it is out of service.
        """
        if canonical(device) in self.out_of_service():
            raise DeviceUnavailable("the engine's device is out of service for a while")

    def out_of_service(self) -> tuple[str, ...]:
        """Name the devices that are out of service now."""
        now = time.monotonic()
        with self._lock:
            return tuple(sorted(device for device, at in self._back_at.items() if now < at))


def canonical(device: str) -> str:
    """Give a device the one name that it goes by here."""
    return "cuda:0" if device == "cuda" else device
