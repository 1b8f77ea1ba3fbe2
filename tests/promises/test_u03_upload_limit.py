"""U-03: one byte too many is refused as soon as it is known, the connection closed, and nothing left behind."""

from collections.abc import Iterator
from itertools import chain

import pytest

from tests.entrypoints.http_service import Server, served
from tests.entrypoints.http_wire import END, FIELD, FILE, Exchange, chunked, upload_head, zeros

LIMIT = 3_000_000
FRONT = FIELD % (b"lang", b"en") + FILE
MUCH = 400 * LIMIT


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("u03"), max_upload=LIMIT) as started:
        yield started


def form(size: int) -> Iterator[bytes]:
    yield FRONT
    yield from zeros(size)
    yield END


def length(size: int) -> str:
    return f"Content-Length: {len(FRONT) + size + len(END)}"


def refused(server: Server, exchange: Exchange) -> None:
    assert exchange.status == 413
    assert b'"code":"too_large"' in exchange.answer
    assert b'"type":"/problems/audio-too-large"' in exchange.answer
    assert str(LIMIT).encode() in exchange.answer
    assert exchange.closed
    assert list(server.spool.iterdir()) == []


def test_u03_the_limit_itself_is_allowed(server: Server) -> None:
    assert Exchange(server, chain([upload_head(server, length(LIMIT))], form(LIMIT))).status == 202
    unframed = chain([upload_head(server, "Transfer-Encoding: chunked")], chunked(form(LIMIT)))
    assert Exchange(server, unframed).status == 202
    assert list(server.spool.iterdir()) == []


def test_u03_one_byte_more_with_its_length(server: Server) -> None:
    refused(server, Exchange(server, chain([upload_head(server, length(LIMIT + 1))], form(LIMIT + 1))))


def test_u03_one_byte_more_in_chunks(server: Server) -> None:
    pieces = chain([upload_head(server, "Transfer-Encoding: chunked")], chunked(form(LIMIT + 1)))
    refused(server, Exchange(server, pieces))


def test_u03_an_endless_upload_in_chunks_is_cut_off(server: Server) -> None:
    endless = chain([upload_head(server, "Transfer-Encoding: chunked")], chunked(form(10**15)))
    exchange = Exchange(server, endless)
    refused(server, exchange)
    assert exchange.seconds < 10


def test_u03_a_length_beyond_the_limit_is_refused_before_the_body(server: Server) -> None:
    exchange = Exchange(server, [upload_head(server, length(MUCH))])
    refused(server, exchange)
    assert exchange.seconds < 4


@pytest.mark.slow
def test_u03_a_client_that_waits_for_leave_sends_nothing(server: Server) -> None:
    exchange = Exchange(server, [upload_head(server, length(MUCH), "Expect: 100-continue")])
    refused(server, exchange)
    assert b"100 Continue" not in exchange.answer


@pytest.mark.parametrize("declared", [0, 500, LIMIT])
def test_u03_a_length_that_lies(server: Server, declared: int) -> None:
    """What goes beyond the declared length is no part of the request, and no request by itself."""
    pieces = chain([upload_head(server, f"Content-Length: {len(FRONT) + declared}")], form(2 * LIMIT))
    exchange = Exchange(server, pieces)
    assert exchange.status in {400, 413}
    assert exchange.answer.count(b"HTTP/1.1 2") == 0
    assert list(server.spool.iterdir()) == []


def test_u03_fields_do_not_count_as_recording_and_cannot_hide_one(server: Server) -> None:
    pieces = chain(
        [upload_head(server, "Transfer-Encoding: chunked")], chunked(chain([FILE], zeros(LIMIT), [b"\r\n"], form(9)))
    )
    exchange = Exchange(server, pieces)
    assert exchange.status == 422
    assert b"one recording" in exchange.answer
    assert list(server.spool.iterdir()) == []
