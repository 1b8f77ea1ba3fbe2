"""D-10: voices are heard, compared and forgotten: no row and no file ever holds one, nor after a crash in between."""

import json
import struct
from pathlib import Path

import pytest

from adapters.scripted.diarizer import ScriptedDiarizer
from application.hold import Hold
from application.ports.diarization import DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn
from domain.stage import StageName, StageStatus
from domain.task import TaskStatus
from tests.application.installation import Installation

VOICES = (("first", (0.7182818284590452, 0.1415926535897931)), ("second", (0.1415926535897931, 0.7182818284590452)))


class HearsVoices(ScriptedDiarizer):
    """Gives two voices that can be found again by their numbers."""

    def capabilities(self) -> DiarizerCapabilities:
        return DiarizerCapabilities(engine="hears", model="voices", embeds=True)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        del request
        on_progress(1.0)
        half = audio.duration // 2
        turns = (SpeakerTurn(Span(0, half), "first"), SpeakerTurn(Span(half, audio.duration), "second"))
        return Diarization(turns=turns, exclusive=turns, centroids=VOICES)

    def embed(
        self, audio: DecodedAudio, spans: tuple[Span, ...], on_progress: ProgressSink
    ) -> tuple[tuple[float, ...] | None, ...]:
        del audio
        on_progress(1.0)
        return tuple(VOICES[0][1] for _ in spans)


NUMBERS = {number for _, voice in VOICES for number in voice}
NEEDLES = [
    form
    for number in NUMBERS
    for form in (
        json.dumps(number)[:10].encode(), struct.pack("<d", number), struct.pack("<f", number),
        struct.pack(">d", number),
    )
]  # fmt: skip


def holding_voices(installation: Installation, folder: Path) -> list[str]:
    """Which rows, and which files, hold a number of a voice, as text or as a float of either size."""
    rows = repr(installation.database.rows).encode()
    files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found = [name for name, content in files.items() if any(needle in content for needle in NEEDLES)]
    return found + [str(needle) for needle in NEEDLES if needle in rows]


async def test_d10_nothing_of_a_voice_is_stored_while_it_is_used_or_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, looked = Installation(tmp_path, diarizer=HearsVoices()), 0
    checkpoint = Hold.checkpoint

    async def looking(hold: Hold, name: str, payload: bytes) -> None:
        nonlocal looked
        await checkpoint(hold, name, payload)
        looked += 1
        assert holding_voices(installation, tmp_path) == [], name

    monkeypatch.setattr(Hold, "checkpoint", looking)
    task = await installation.run()
    assert task.status is TaskStatus.DONE
    transcript = await installation.transcript(task)
    (stage,) = (stage for stage in transcript.stages if stage.name is StageName.SECOND_LOOK)
    assert stage.status is StageStatus.RAN, "the voices were there to be compared"
    assert looked >= 2
    assert holding_voices(installation, tmp_path) == []


def test_d10_the_search_finds_a_voice_where_there_is_one(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    (tmp_path / "voice.npy").write_bytes(struct.pack("<2f", *VOICES[0][1]))
    (tmp_path / "voice.json").write_text(json.dumps(VOICES[1][1]))
    assert sorted(holding_voices(installation, tmp_path)) == ["voice.json", "voice.npy"]
