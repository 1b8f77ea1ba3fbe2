"""`colloquy health`: how the processes of this machine are; for supervisors, so it is quick and ends with a status."""

import http
import http.client
import json
from urllib.parse import urlsplit

from infrastructure.pulse import Sign, signs
from infrastructure.settings import Settings

_ANSWER_SECONDS = 3.0
"""The API gives its parts two."""
OK = "ok"


def report(settings: Settings, *, ready: bool) -> int:
    """Print a line for each process; return non-zero when one is not well, or none runs."""
    found = list(signs(settings.pulse_dir))
    if not found:
        print("nothing of this installation runs on this machine")
        return 1
    well = True
    for sign in found:
        wrong = _wrong(sign, ready=ready)
        well = well and not wrong
        print(f"{sign.role} {sign.pid}: {'; '.join(wrong) or ('ready' if ready else 'alive')}")
    return 0 if well else 1


def _wrong(sign: Sign, *, ready: bool) -> list[str]:
    """What is wrong with a process: its pulse, what its API answers, and, if it shall be ready, its parts."""
    if not sign.alive:
        return [f"no sign of life for {sign.age:.0f} s"]
    parts = sign.parts
    if sign.url:
        try:
            parts = _ask(sign.url, "/health/ready" if ready else "/health/live")
        except (OSError, ValueError, http.client.HTTPException):
            return ["its API does not answer"]
    elif ready and not parts:
        return ["starting"]
    return [f"{part}: {state}" for part, state in parts.items() if state != OK] if ready else []


def _ask(url: str, path: str) -> dict[str, str]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        if answer.status not in {http.HTTPStatus.OK, http.HTTPStatus.SERVICE_UNAVAILABLE}:
            raise ValueError(answer.reason)
        return dict(json.loads(answer.read()).get("parts", {}))
    finally:
        connection.close()
