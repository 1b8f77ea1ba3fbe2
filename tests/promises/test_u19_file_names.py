"""U-19: whatever a recording is called, its name is shown harmless, sent back by the rules, and is never a path."""

import asyncio
import io
import re
import string
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import HTTP
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.task import TaskId
from entrypoints.http.filenames import MAX_LENGTH, attachment, content_disposition, shown_name
from tests.entrypoints.http_service import Api, a_transcript

NAMES = [
    "../../../../etc/passwd", "..\\..\\windows\\system.ini", "/etc/shadow", "C:\\boot.ini", "a/../../b.wav", "..", ".",
    "a\x00b.wav", "a\nb.wav", "a\r\nSet-Cookie: x=1", "a\x1b[31mred.wav", "\u202egpj.exe", "a\u2066b.wav", "\ufeff.wav",
    "x" * 4096, "é" * 2048 + ".wav", "-rf", "--help", "-i file:///etc/passwd", "| rm -rf /", "$(reboot).wav",
    "`id`.wav", "a; shutdown.wav", "%2e%2e%2fetc", "%s%n.wav", "😀👩‍👩‍👧.wav", "Besprechung März.wav", "会議.wav",
    'a"b.wav', "a'b.wav", "a;filename=b.wav", "<script>.wav", "CON", "NUL.wav", "a.wav.", " .wav", "concat:a|b.wav",
    "", " ",
]  # fmt: skip
UNSAFE = set("/\\\x00\r\n\t\x1b\x7f") | {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)}
PLAIN = set(string.ascii_letters + string.digits + "._ -")
ODD = st.text("./\\-| \n%", max_size=40)
texts = st.one_of(st.sampled_from(NAMES), st.text(st.characters(codec=None), max_size=400), ODD)
_HEADER = re.compile(r"attachment; filename=\"([^\"\\]*)\"(?:; filename\*=UTF-8''([A-Za-z0-9._~%-]*))?")


def assert_shown_well(shown: str) -> None:
    assert len(shown) <= MAX_LENGTH
    assert not set(shown) & UNSAFE
    assert shown == shown.strip()


def named(header: str) -> str:
    """What a browser calls the download; the header must be what RFC 6266 and RFC 8187 allow, on one line."""
    found = _HEADER.fullmatch(header)
    assert found, header
    assert set(found[1]) <= PLAIN
    name = found[1] if found[2] is None else unquote(found[2], errors="strict")
    parsed = EmailMessage(policy=HTTP)
    parsed["Content-Disposition"] = header  # a parser of somebody else's, which refuses line breaks
    assert parsed["Content-Disposition"].params["filename"] in {found[1], name}
    return name


@given(texts)
@settings(max_examples=300, deadline=None)
def test_u19_every_name_is_shown_and_sent_back_harmless(raw: str) -> None:
    shown = shown_name(raw)
    assert_shown_well(shown)
    assert shown_name(shown) == shown
    assert named(attachment(raw)) == shown
    offered = named(content_disposition(raw, "srt"))
    assert_shown_well(offered)
    assert offered.endswith(".srt")


def test_u19_what_people_call_their_files_stays_as_it_is() -> None:
    persian = "\u06cc\u0627\u062f\u200c\u0647\u0627.ogg"
    for name in ("Besprechung März.wav", "会議 2.m4a", "😀👩\u200d👧.wav", "-rf", "a;b.wav", persian):
        assert shown_name(name) == name
        assert named(attachment(name)) == name


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


async def hand_in(api: Api, client: httpx.AsyncClient, name: str) -> tuple[httpx.Response, str]:
    """Hand a recording in under that name, have it done, and return the download of its text and how it is shown."""
    answer = await client.post("/api/v1/transcribe", files={"file": (name or "\x20", io.BytesIO(b"RIFF"))})
    assert answer.status_code in {202, 400}, answer.text
    if answer.status_code == 400:  # not even a form, with such a name
        assert answer.json()["code"] != "internal_error"
        return answer, ""
    task = TaskId(UUID(answer.json()["task_id"]))
    await api.finish(task, a_transcript(task))
    shown = (await client.get(answer.headers["location"])).json()["filename"]
    return await client.get(f"/api/v1/result/{task}", params={"format": "srt", "download": "true"}), shown


def test_u19_a_name_is_never_a_path_nor_part_of_one(tmp_path: Path, runner: asyncio.Runner) -> None:
    api = Api(tmp_path / "service")
    beside = {path.name for path in tmp_path.iterdir()}

    async def all_of_them() -> list[tuple[httpx.Response, str]]:
        async with api.client(await api.issue_key()) as client:
            return [await hand_in(api, client, name) for name in NAMES]

    answers = runner.run(all_of_them())
    taken = [(answer, shown) for answer, shown in answers if answer.status_code == 200]
    assert len(taken) > len(NAMES) * 3 / 4
    for answer, shown in taken:
        assert_shown_well(shown)
        assert named(answer.headers["content-disposition"]).endswith(".srt")
    assert {path.name for path in tmp_path.iterdir()} == beside
    stored = [path.relative_to(tmp_path / "service").as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    assert all(re.fullmatch(rf"blobs/(media/{uuid}|transcripts/{uuid}/\d+\.json)", name) for name in stored), stored
