"""Asking an OpenAI-compatible server: one recording's piece at a time, again where that may help, never for ever.

It must not know what an answer means, follow a redirect, use a proxy of the environment, or say what the key is.
"""

import asyncio
import itertools
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

from domain.errors import EngineFailed

Fields = Mapping[str, str | list[str]]
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""Statuses that another try may change: time-outs, conflicts, limits, and a server that restarts."""
_TRIES = 6
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_CONNECT_SECONDS = 10.0
"""Longer than three lost SYN packets take; a server that is there answers in one round trip."""
_LARGEST = 8 << 20
"""Bytes of an answer; half a minute of speech, with all times and probabilities, is a hundredth of that."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """The connections of one call, as an async context; `patience` bounds one piece with all its tries, in s.

    `timeout` is for one try: how long the server may be silent.
    """

    def __init__(self, url: str, key: str, *, timeout: float, patience: float) -> None:
        self._url = url
        self._headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else {})}
        self._timeout = timeout
        self._patience = patience

    async def __aenter__(self) -> Self:
        """Open nothing yet: connections are made as they are needed."""
        import httpx

        self._client = httpx.AsyncClient(
            base_url=self._url.rstrip("/") + "/",
            headers=self._headers,
            timeout=httpx.Timeout(self._timeout, connect=min(_CONNECT_SECONDS, self._timeout)),
            follow_redirects=False,
            trust_env=False,
            # Without TLS there is nothing to verify; reading the authorities takes longer than a local request.
            verify=_certificates() if self._url.startswith("https") else False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self._client.aclose()

    def deadline(self) -> float:
        """Say until when one piece may take, that begins now: an instant of the running loop."""
        return asyncio.get_running_loop().time() + self._patience

    async def ask(self, path: str, fields: Fields, wav: bytes, until: float) -> Reply:
        """Return the answer that another try would not change, which may be a refusal.

        Raises:
            EngineFailed: `remote_timeout`, `remote_unreachable`, `remote_failed` (it fails again and again), or
                `remote_garbled` (an answer without end).
        """
        try:
            async with asyncio.timeout_at(until):
                return await self._persist(path, fields, wav, until)
        except TimeoutError as exc:
            raise EngineFailed("the remote server did not answer in time", code="remote_timeout") from exc

    async def _persist(self, path: str, fields: Fields, wav: bytes, until: float) -> Reply:
        import httpx

        for attempt in itertools.count(1):
            headers: Mapping[str, str] = {}
            cause: Exception | None = None
            try:
                reply = await self._once(path, fields, wav)
            except httpx.TimeoutException as exc:
                failure, cause = EngineFailed("the remote server did not answer in time", code="remote_timeout"), exc
            except httpx.TransportError as exc:
                failure = EngineFailed(
                    "the remote server cannot be reached, or broke the connection off", code="remote_unreachable"
                )
                cause = exc
            else:
                headers = reply.headers
                if reply.status not in _PASSING or headers.get("x-should-retry") == "false":
                    return reply
                failure = EngineFailed(
                    f"the remote server answered {reply.status}, again and again", code="remote_failed"
                )
            pause = _pause(attempt, headers)
            if attempt == _TRIES or asyncio.get_running_loop().time() + pause >= until:
                raise failure from cause
            await asyncio.sleep(pause)
        raise AssertionError  # the count has no end

    async def _once(self, path: str, fields: Fields, wav: bytes) -> Reply:
        file = {"file": ("speech.wav", wav, "audio/wav")}
        async with self._client.stream("POST", path, data=dict(fields), files=file) as answer:
            body = bytearray()
            # Raw: a compressed answer, which was not asked for, may be a bomb.
            async for part in answer.aiter_raw():
                body += part
                if len(body) > _LARGEST:
                    raise EngineFailed("the remote server's answer is too long", code="remote_garbled")
            return Reply(answer.status_code, dict(answer.headers), bytes(body))


def _certificates() -> ssl.SSLContext:
    """Trust the authorities that come with httpx, and those of this machine, `SSL_CERT_FILE` among them."""
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context


def _pause(attempt: int, headers: Mapping[str, str]) -> float:
    """Give the seconds to wait: what the server asks for, or twice as long each time; a little more, at random."""
    jitter = random.random()  # noqa: S311 - it spreads clients, it keeps no secret
    if (asked := _asked(headers)) is not None:
        return asked + jitter * _FIRST_PAUSE
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempt - 1)) * (0.75 + jitter / 2)


def _asked(headers: Mapping[str, str]) -> float | None:
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        if not (value := headers.get("retry-after")):
            return None
        if value.strip().isdigit():
            return float(value)
        return float(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()))
    except (ValueError, OverflowError):
        return None
