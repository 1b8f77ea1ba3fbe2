"""S-09: whatever a receiver does, a webhook goes nowhere else, costs little, and is tried as the schedule says."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.egress import Egress
from adapters.webhooks import httpx_sender
from adapters.webhooks.httpx_sender import HttpxWebhookSender
from application.ports.webhooks import Message, Receipt
from domain.egress import EgressPolicy
from domain.errors import UrlNotAllowed, WrongState
from domain.webhook import SCHEDULE, DeliveryState
from tests.servers.webhook_receiver import Receiver, Reply
from tests.webhook_house import House

LOOPBACK = EgressPolicy.allowing(["127.0.0.0/8"])
SECOND = timedelta(seconds=1)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.built(tmp_path) as built:
        yield built


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


def a_message(house: House, url: str) -> Message:
    return Message(url=url, id="msg_1", at=house.clock.time, body=b"{}", secrets=(b"s" * 32,))


async def sent(house: House, url: str) -> Receipt:
    return await house.api.sender.send(a_message(house, url))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3/x", "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:127.0.0.1]/", "https://0x7f000001/", "https://2130706433/", "https://localhost/",
        "http://example.org/", "ftp://example.org/", "https://example.org:22/", "https:///x", "gopher://127.0.0.1",
        "https://me:hush@192.168.0.1/",
    ],
)  # fmt: skip
async def test_s09_a_forbidden_address_is_no_webhook(house: House, url: str) -> None:
    house.webhooks._sender = HttpxWebhookSender(Egress(EgressPolicy()))
    with pytest.raises(UrlNotAllowed) as refused:
        await house.register(url)
    assert "hush" not in refused.value.detail
    assert await house.webhooks.all(house.owner) == []


async def test_s09_an_address_that_turns_inwards_later_is_judged_at_each_connection(
    house: House, receiver: Receiver
) -> None:
    """A name that was public when it was registered, and leads inwards when it is used."""
    answers = {"first": ["93.184.216.34"], "then": ["127.0.0.1"], "both": ["93.184.216.34", "127.0.0.1"]}
    told = "first"

    async def resolve(_host: str, _port: int) -> list[str]:
        return answers[told]

    sender = HttpxWebhookSender(Egress(EgressPolicy(), resolve), allow_http=True)
    house.webhooks._sender = sender
    house.deliver._sender = sender
    webhook, _ = await house.register(receiver.url(host="hooks.example.org"))
    for turn in ("then", "both"):
        told = turn
        await house.happen()
        assert await house.attempt()
    attempts = [delivery.attempts[0] for delivery in await house.log(webhook)]
    assert len(attempts) == 2
    for attempt in attempts:
        assert attempt.status is None
        assert attempt.error.startswith("not sent: ")
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_s09_a_redirect_is_a_failure_and_is_not_followed(house: House, receiver: Receiver, status: int) -> None:
    with Receiver() as elsewhere:
        receiver.reply = lambda _: Reply(status, {"location": elsewhere.url()})
        webhook, _ = await house.register(receiver.url())
        await house.happen()
        assert await house.attempt()
        assert elsewhere.connections == 0
    (delivery,) = await house.log(webhook, DeliveryState.PENDING)
    assert delivery.attempts[0].status == status


async def test_s09_a_silent_receiver_is_waited_for_fifteen_seconds(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert httpx_sender.TIMEOUT_SECONDS == 15
    monkeypatch.setattr(httpx_sender, "TIMEOUT_SECONDS", 0.5)
    receiver.reply = lambda _: Reply(delay=30)
    began = time.monotonic()
    receipt = await sent(house, receiver.url())
    assert time.monotonic() - began < 5
    assert receipt.status is None
    assert "no answer within" in receipt.error


async def test_s09_a_trickle_of_headers_ends_at_the_same_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte is in time, and the answer never ends."""
    monkeypatch.setattr(httpx_sender, "TIMEOUT_SECONDS", 0.5)

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nx: ")
            while not writer.is_closing():
                writer.write(b"y")
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        receipt = await sent(house, f"http://127.0.0.1:{port}/")
    assert "no answer within" in receipt.error


async def test_s09_of_a_huge_answer_four_kilobytes_are_read(house: House, receiver: Receiver) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"\x00<p>" * 4096

    receiver.reply = lambda _: Reply(200, body=endless)
    receipt = await sent(house, receiver.url())
    assert receipt.status == 200
    assert len(receipt.excerpt) == 4096
    assert receiver.sent < 16 * 1024**2, "what the sockets hold, and no more"


async def test_s09_a_body_that_never_ends_is_no_failure(
    house: House, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpx_sender, "_EXCERPT_SECONDS", 0.3)

    def slow() -> Iterator[bytes]:
        for _ in range(100):
            yield b"."
            time.sleep(0.1)

    receiver.reply = lambda _: Reply(202, body=slow)
    receipt = await sent(house, receiver.url())
    assert receipt.status == 202
    assert 0 < len(receipt.excerpt) < 20


def untrusted(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    from_day = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(from_day).not_valid_after(from_day + timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "server.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_s09_a_certificate_that_nobody_vouches_for_is_not_accepted(house: House, tmp_path: Path) -> None:
    with Receiver(tls=untrusted(tmp_path)) as receiver:
        receipt = await sent(house, receiver.url())
        assert receiver.received == []
    assert receipt.status is None
    assert "could not be secured" in receipt.error


async def test_s09_nobody_there_and_whoever_hangs_up(house: House) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "broke" in (await sent(house, f"http://127.0.0.1:{port}/")).error
    assert "cannot be reached" in (await sent(house, f"http://127.0.0.1:{port}/")).error


@pytest.mark.parametrize("status", [400, 404, 500, 503])
async def test_s09_ten_attempts_on_the_standard_schedule(house: House, receiver: Receiver, status: int) -> None:
    receiver.reply = lambda _: Reply(status)
    webhook, _ = await house.register(receiver.url())
    house.deliver._jitter = iter([n / 10 for n in range(10)]).__next__
    await house.happen()
    made = []
    while await house.wait():
        assert await house.attempt()
        made.append(house.clock.time)
        assert not await house.attempt()
    gaps = [after - before for before, after in pairwise(made)]
    assert len(made) == len(SCHEDULE) == 10
    assert all(wait <= gap <= wait * 1.1 for wait, gap in zip(SCHEDULE[1:], gaps, strict=True))
    assert len({gap / wait for wait, gap in zip(SCHEDULE[1:], gaps, strict=True)}) > 5, "jitter"
    (delivery,) = await house.log(webhook)
    assert delivery.state is DeliveryState.FAILED
    assert [attempt.status for attempt in delivery.attempts] == [status] * 10
    house.pass_by(timedelta(days=20))
    assert not await house.attempt()


async def test_s09_gone_disables_and_nothing_more_is_sent(house: House, receiver: Receiver) -> None:
    receiver.reply = lambda _: Reply(410, body=b"moved away")
    webhook, _ = await house.register(receiver.url())
    await house.happen()
    await house.happen()
    assert await house.attempt_all() == 1
    shown = await house.endpoint(webhook)
    assert not shown.enabled
    assert "410" in shown.disabled_reason
    await house.happen()  # while it is disabled, nothing is even recorded
    assert sorted(delivery.state for delivery in await house.log(webhook)) == ["failed", "pending"]
    with pytest.raises(WrongState):
        await house.replays.test(house.owner, webhook)

    receiver.reply = lambda _: Reply()
    await house.webhooks.change(house.owner, webhook, enabled=True)
    assert await house.attempt_all() == 1, "what had waited"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_s09_whoever_asks_for_time_is_given_it(house: House, receiver: Receiver, status: int, form: str) -> None:
    until = house.clock.time + SECOND * 3600
    after = "3600" if form == "seconds" else until.strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.reply = lambda _: Reply(status, {"retry-after": after})
    webhook, _ = await house.register(receiver.url())
    with Receiver() as other:
        await house.register(other.url())
        await house.happen()
        await house.happen()
        assert await house.attempt_all() == 3, "one at the first, which asks for silence, two at the other"
        assert len(other.received) == 2
        house.pass_by(SECOND * 3599)
        assert await house.attempt_all() == 0
        assert (await house.endpoint(webhook)).paused_until == until
        house.pass_by(SECOND * 2)
        assert await house.attempt()


@pytest.mark.parametrize("after", ["soon", "-5", "9" * 400, "Mon, 99 Jan 2026", "", "1.5", "٣"])
async def test_s09_a_strange_wish_for_time_changes_little(house: House, receiver: Receiver, after: str) -> None:
    receiver.reply = lambda _: Reply(429, {"retry-after": after.encode().decode("latin-1")})
    await house.register(receiver.url())
    await house.happen()
    assert await house.attempt()
    (delivery,) = await house.deliveries()
    assert SECOND * 5 <= delivery.next_at - house.clock.time <= timedelta(days=1)
