"""Whether the model hub answers: asked for two seconds at most, and remembered, so that no start waits twice."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE_SECONDS = 2.0
"""What a start may lose to a hub that is gone: O-05 allows three seconds, of which a busy machine wants some."""
_REMEMBERED_SECONDS = 600.0
"""Long enough that restarts do not wait again, short enough that a repaired network is noticed."""


def hub_answers(url: str, memory: Path) -> bool:
    """Say whether `url` answers, from the file `memory` if it was asked within ten minutes."""
    try:
        known = json.loads(memory.read_text())
        if known["url"] == url and 0 <= time.time() - known["asked_at"] < _REMEMBERED_SECONDS:
            return bool(known["answers"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never asked, or unreadable: ask
    answers = _ask(url)
    with contextlib.suppress(OSError):  # where models are mounted read-only, each start asks again
        # This may be the first that is written to a data folder, which is for nobody else.
        memory.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        memory.parent.mkdir(exist_ok=True, mode=0o700)
        memory.write_text(json.dumps({"url": url, "asked_at": time.time(), "answers": answers}))
    return answers


def _ask(url: str) -> bool:
    outcome: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the settings allow http and https only
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS):  # noqa: S310
                outcome.append(True)
        except urllib.error.HTTPError:
            outcome.append(True)  # it answered, if only to complain
        except OSError:
            outcome.append(False)

    # A name lookup has no timeout of its own, so the waiting is bounded from outside.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE_SECONDS)
    return bool(outcome and outcome[0])
