"""S-10: what is sent verifies with the public library and with OpenAI's client, and nothing that was changed does."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openai
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.webhooks.httpx_sender import signed_headers
from application.manage_webhooks import read_secret, secret_text
from application.ports.webhooks import Message
from domain.errors import InvalidOptions
from domain.webhook import ROTATION, DeliveryState
from tests.servers.webhook_receiver import Received, Receiver, Reply
from tests.webhook_house import House

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # noqa: S105 - of the published vector
BODY = b'{"type":"transcription.completed","timestamp":"2026-11-20T00:00:00Z","data":{"id":"tr_01"}}'
SIGNATURE = "v1,g6at21OhKTV5H8enAsy22RggrhKh4QmIfdOyXINUt1o="


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with House.built(tmp_path) as built:
        yield built


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as started:
        yield started


@pytest.fixture
def judge() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="none", webhook_secret="none") as client:  # noqa: S106
        yield client


def verified(received: Received, secret: str, judge: openai.OpenAI) -> bool:
    """Whether both libraries take it; they must agree."""
    verdicts = []
    for verify in (
        lambda: Webhook(secret).verify(received.body, received.headers),
        lambda: judge.webhooks.verify_signature(received.body.decode(), received.headers, secret=secret),
    ):
        try:
            verify()
        except (WebhookVerificationError, openai.InvalidWebhookSignatureError, ValueError):
            verdicts.append(False)
        else:
            verdicts.append(True)
    assert len(set(verdicts)) == 1
    return verdicts[0]


def test_s10_the_published_vector() -> None:
    at = datetime.fromtimestamp(1_795_132_800, UTC)
    message = Message(url="", id="msg_2b1c7d4e8f", at=at, body=BODY, secrets=(read_secret(SECRET),))
    headers = signed_headers(message)
    assert headers["webhook-signature"] == SIGNATURE
    assert headers["webhook-timestamp"] == "1795132800"
    assert headers["webhook-id"] == "msg_2b1c7d4e8f"
    assert SECRET not in repr(message)


async def test_s10_the_libraries_take_what_is_sent_and_nothing_that_was_changed(
    house: House, receiver: Receiver, judge: openai.OpenAI
) -> None:
    _, secret = await house.register(receiver.url())
    _, other = await house.register(receiver.url("/other"))
    await house.happen()
    assert await house.attempt_all() == 2
    (received,) = receiver.of("/hook")
    assert verified(received, secret, judge)
    assert not verified(received, other, judge)
    assert not verified(replace(received, body=received.body.replace(b"queued", b"done", 1)), secret, judge)
    for name, value in {
        "webhook-id": "msg_another",
        "webhook-timestamp": str(int(received.headers["webhook-timestamp"]) + 1),
        "webhook-signature": SIGNATURE,
    }.items():
        changed = replace(received, headers=received.headers | {name: value})
        assert not verified(changed, secret, judge), name
    beside = {"webhook-signature": f"{SIGNATURE} {received.headers['webhook-signature']}"}
    assert verified(replace(received, headers=received.headers | beside), secret, judge)


async def test_s10_a_message_that_is_kept_back_and_sent_later_is_refused(
    house: House, receiver: Receiver, judge: openai.OpenAI
) -> None:
    """The instant is signed: six minutes to either side, and the libraries refuse it."""
    _, secret = await house.register(receiver.url())
    for skew in (timedelta(minutes=-6), timedelta(minutes=12)):
        house.pass_by(skew)
        await house.happen()
        assert await house.attempt()
        assert not verified(receiver.received[-1], secret, judge)


async def test_s10_in_every_attempt_the_id_is_the_same_and_the_instant_is_new(
    house: House, receiver: Receiver, judge: openai.OpenAI
) -> None:
    webhook, secret = await house.register(receiver.url())
    house.pass_by(timedelta(seconds=-15))  # so that what follows lies within the libraries' five minutes
    receiver.reply = lambda _: Reply(500)
    await house.happen()
    for wait in (0, 6, 316):
        house.pass_by(timedelta(seconds=wait))
        assert await house.attempt()
    house.pass_by(timedelta(seconds=-300))
    (delivery,) = await house.log(webhook)
    await house.replays.one(house.owner, webhook, delivery.id)
    assert await house.attempt()
    headers = [received.headers for received in receiver.received]
    assert len({each["webhook-id"] for each in headers}) == 1
    assert len({each["webhook-timestamp"] for each in headers}) == 4
    assert len({received.body for received in receiver.received}) == 1
    assert all(verified(received, secret, judge) for received in (*receiver.received[:2], receiver.received[3]))


async def test_s10_two_events_have_two_ids_and_two_webhooks_of_one_event_the_same(
    house: House, receiver: Receiver
) -> None:
    for path in ("/a", "/b"):
        await house.register(receiver.url(path))
    await house.happen()
    await house.happen()
    assert await house.attempt_all() == 4
    ids = [sorted(each.headers["webhook-id"] for each in receiver.of(path)) for path in ("/a", "/b")]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


async def test_s10_during_a_rotation_both_secrets_sign(house: House, receiver: Receiver, judge: openai.OpenAI) -> None:
    webhook, old = await house.register(receiver.url())
    _, new = await house.webhooks.rotate(house.owner, webhook)
    assert new != old
    await house.happen()
    assert await house.attempt()
    assert verified(receiver.received[-1], old, judge)
    assert verified(receiver.received[-1], new, judge)
    assert len(receiver.received[-1].headers["webhook-signature"].split()) == 2

    _, newest = await house.webhooks.rotate(house.owner, webhook)
    house.pass_by(ROTATION + timedelta(seconds=1))
    await house.happen()
    assert await house.attempt()
    # The libraries judge by today's clock, so the instant is put back and signed as the service signs.
    only = receiver.received[-1].headers["webhook-signature"].split()
    assert len(only) == 1
    at = datetime.fromtimestamp(int(receiver.received[-1].headers["webhook-timestamp"]), UTC)
    body = receiver.received[-1].body.decode()
    assert only == [Webhook(newest).sign(receiver.received[-1].headers["webhook-id"], at, body)]


async def test_s10_many_rotations_leave_few_secrets(house: House, receiver: Receiver) -> None:
    webhook, _ = await house.register(receiver.url())
    for _ in range(8):
        await house.webhooks.rotate(house.owner, webhook)
    await house.happen()
    assert await house.attempt()
    assert len(receiver.received[-1].headers["webhook-signature"].split()) == 3


async def test_s10_what_is_tried_out_is_signed_too(house: House, receiver: Receiver, judge: openai.OpenAI) -> None:
    webhook, secret = await house.register(receiver.url())
    delivery = await house.replays.test(house.owner, webhook)
    assert await house.attempt()
    assert verified(receiver.received[0], secret, judge)
    assert receiver.received[0].headers["webhook-id"] == delivery.event
    assert (await house.log(webhook))[0].state is DeliveryState.DELIVERED


@pytest.mark.parametrize("bytes_", [24, 32, 64])
def test_s10_secrets_of_ones_own(bytes_: int) -> None:
    secret = bytes(range(bytes_))
    assert read_secret(secret_text(secret)) == secret


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_short", "secret", secret_text(b"x" * 23), secret_text(b"x" * 65), "whsec_" + "ä" * 40]
)
def test_s10_what_is_no_secret(text: str) -> None:
    with pytest.raises(InvalidOptions, match="webhook_secret") as refused:
        read_secret(text)
    assert refused.value.detail.count("whsec_") == 1, "the rule, and not what was given"
