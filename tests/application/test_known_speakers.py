"""Speakers who are known by samples of their voices: named in the transcript, and what fails is told."""

import wave
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from adapters.diarization.acoustic import AcousticDiarizer
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.system import Uuid7Factory
from application.get_result import GetResult
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from domain.clip import ClipId
from domain.errors import InvalidOptions
from domain.known_speakers import KnownSpeaker, places, recognise
from domain.options import TranscriptionOptions
from domain.span import Span
from domain.speaker import Diarization, SpeakerTurn
from domain.stage import StageName, StageStatus
from domain.transcript import Transcript
from tests.application.installation import OWNER, Installation
from tests.data.make_conversation import RATE, by_microphone, in_a_room, spoken
from tests.e2e.spoken import VOICES, speak

SAYS = {
    "anna": "my name is anna and this is how i sound when i talk to somebody about the weather and other things",
    "peter": "good morning this is peter speaking to you from the office where we make the report every single week",
}


def sample(target: Path, who: str) -> Path:
    sound = in_a_room(by_microphone(spoken(VOICES[who], SAYS[who]), close=who == "peter"), seed=2)
    return written(target / f"{who}.wav", sound.round().astype("<i2"))


def written(target: Path, samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> Path:
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return target


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    (tmp_path / "work").mkdir()
    return Installation(tmp_path / "work", diarizer=AcousticDiarizer(max_speakers=20), second_look=False)


async def kept(place: Installation, path: Path) -> UUID:
    work = place.work / path.name
    work.write_bytes(path.read_bytes())
    stage = StageUpload(new_uow=place.new_uow, blobs=place.blobs)
    store = StoreClip(
        new_uow=place.new_uow, blobs=place.blobs, stage=stage, admit=place.admit, ids=Uuid7Factory(), kept=None
    )
    return (await store(OWNER, work, filename=path.name)).id


async def spoken_by(place: Installation, recording: Path, options: TranscriptionOptions) -> Transcript:
    task = await place.run(recording, options)
    assert task.error is None
    return await GetResult(new_uow=place.new_uow, blobs=place.blobs)(OWNER, task.id)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("order", [("anna", "peter"), ("peter", "anna"), ("peter",)])
async def test_whoever_is_known_is_named(place: Installation, tmp_path: Path, order: tuple[str, ...]) -> None:
    lines = speak(tmp_path / "talk.wav")
    known = tuple([KnownSpeaker(name=who.title(), sample=await kept(place, sample(tmp_path, who))) for who in order])
    transcript = await spoken_by(
        place, tmp_path / "talk.wav", TranscriptionOptions(known_speakers=known, num_speakers=2)
    )
    names = {who: who.title() if who in order else "spk_1" for who in VOICES}
    middles = [(int((line.start + line.end) * 500), names[line.speaker]) for line in lines]
    right = [
        name == next((turn.speaker for turn in transcript.turns if turn.span.contains(at)), None)
        for at, name in middles
    ]
    assert sum(right) >= len(right) - 1, transcript.turns
    assert {word.speaker for word in transcript.words} <= set(names.values())
    assert all(turn.span.end <= transcript.media.decoded for turn in transcript.turns)
    stage = next(stage for stage in transcript.stages if stage.name is StageName.DIARIZATION)
    assert stage.status is StageStatus.RAN


@pytest.mark.timeout(60)
async def test_samples_that_cannot_be_used_are_told(place: Installation, tmp_path: Path) -> None:
    speak(tmp_path / "talk.wav")
    noise = tmp_path / "text.wav"
    noise.write_bytes(b"this is no recording" * 100)
    short = written(tmp_path / "short.wav", np.zeros(RATE // 2, dtype="<i2"))
    known = (
        KnownSpeaker(name="Anna", sample=await kept(place, sample(tmp_path, "anna"))),
        KnownSpeaker(name="Gone", sample=await kept(place, short)),
        KnownSpeaker(name="Text", sample=await kept(place, noise)),
        KnownSpeaker(name="Short", sample=await kept(place, short)),
    )
    task = await place.submit(tmp_path / "talk.wav", TranscriptionOptions(known_speakers=known))
    async with place.new_uow() as uow:
        await uow.clips.remove(ClipId(known[1].sample))
        await uow.commit()
    await place.process()(task.id)
    transcript = await place.transcript(task)
    stage = next(stage for stage in transcript.stages if stage.name is StageName.DIARIZATION)
    assert stage.status is StageStatus.DEGRADED
    for said in ("of Gone has been removed", "of Text cannot be decoded", "of Short lasts 0.5 seconds"):
        assert said in stage.reason
    assert "Anna" in {turn.speaker for turn in transcript.turns}


async def test_somebody_elses_clip_is_no_sample(place: Installation, tmp_path: Path) -> None:
    place.diarizer = ScriptedDiarizer()
    speak(tmp_path / "talk.wav")
    clip = await kept(place, sample(tmp_path, "anna"))
    task = await place.submit(
        tmp_path / "talk.wav", TranscriptionOptions(known_speakers=(KnownSpeaker(name="Anna", sample=clip),))
    )
    async with place.new_uow() as uow:
        stored = await uow.clips.get(clip)  # type: ignore[arg-type] # an id
        assert stored is not None
        await uow.clips.remove(stored.id)
        await uow.clips.add(replace(stored, owner=UUID(int=77)))  # type: ignore[arg-type] # an id
        await uow.commit()
    await place.process()(task.id)
    transcript = await place.transcript(task)
    reasons = [stage.reason for stage in transcript.stages if stage.name is StageName.DIARIZATION]
    assert "of Anna has been removed" in reasons[0]


async def test_a_sample_that_is_not_there_is_refused(place: Installation, tmp_path: Path) -> None:
    speak(tmp_path / "talk.wav")
    known = (KnownSpeaker(name="Anna", sample=UUID(int=1)),)
    with pytest.raises(InvalidOptions, match="there is no clip"):
        await place.submit(tmp_path / "talk.wav", TranscriptionOptions(known_speakers=known))


def turn(start: int, end: int, speaker: str) -> SpeakerTurn:
    return SpeakerTurn(Span(start, end), speaker)


def test_two_samples_of_one_voice_name_nobody() -> None:
    first, second = places(10_000, [3_000, 3_000])
    turns = (turn(0, 10_500, "a"), turn(first.start, first.end, "a"), turn(second.start, second.end, "a"))
    found, problems = recognise(
        Diarization(turns=turns, exclusive=turns, centroids=(("a", (1.0,)),)), 10_000, [("X", first), ("Y", second)]
    )
    assert found.turns == (turn(0, 10_000, "a"),)
    assert found.names == ()
    assert len(problems) == 2


def test_somebody_known_who_does_not_speak_leaves_no_trace() -> None:
    (place,) = places(10_000, [3_000])
    turns = (turn(0, 10_000, "a"), turn(place.start, place.end, "b"))
    centroids = (("a", (1.0,)), ("b", (0.5,)))
    found, problems = recognise(Diarization(turns=turns, exclusive=turns, centroids=centroids), 10_000, [("X", place)])
    assert (found.speakers, found.names, found.centroids, problems) == (("a",), (), centroids[:1], ())


@pytest.mark.parametrize(
    "options",
    [
        {"names": ("A", "A")},
        {"names": ("",)},
        {"names": ("spk_1",)},
        {"names": ("a\n",)},
        {"names": tuple(map(str, range(11)))},
        {"names": ("A",), "diarization": False},
        {"names": ("A", "B"), "num_speakers": 1},
        {"names": ("A", "B"), "max_speakers": 1},
    ],
)
def test_contradictions_are_refused(options: dict[str, object]) -> None:
    names = options.pop("names")
    known = tuple(KnownSpeaker(name=name, sample=UUID(int=1)) for name in names)  # type: ignore[attr-defined]
    with pytest.raises(InvalidOptions, match="known_speakers"):
        TranscriptionOptions(known_speakers=known, **options)  # type: ignore[arg-type] # by name
