"""Where a piece of work comes from: the request that asked for it, by the names it has in logs and traces."""

import re
from dataclasses import dataclass

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A request's id, and the W3C `traceparent` of the span in which it was served; either may be empty."""

    request_id: str = ""
    traceparent: str = ""


def is_request_id(text: str) -> bool:
    """Whether a caller may name a request so: it stands in logs and headers, and cannot do anything there."""
    return _REQUEST_ID.fullmatch(text) is not None
