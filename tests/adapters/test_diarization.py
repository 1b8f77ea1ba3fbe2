"""Diarizers against their contract, and what each promises beyond it."""

import itertools
import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from adapters.diarization.acoustic import AcousticDiarizer
from adapters.diarization.channel import ChannelDiarizer
from adapters.diarization.mfcc import COEFFICIENTS, MARGIN, cepstra
from adapters.hosting.hosted import HostedDiarizationEngine
from adapters.hosting.policy import Hosting
from adapters.media.av import AvDecoder
from adapters.scripted.diarizer import ScriptedDiarizer
from adapters.voice_activity.silero import SileroVad
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from application.ports.system import ProgressSink
from domain.media import DecodedAudio, DecodeLimits
from domain.span import Span, covered
from domain.speaker import Diarization, SpeakerHints, SpeakerTurn, channel_label
from tests.contracts.diarization import DiarizationContract, DiarizerTraits
from tests.contracts.proof import failures
from tests.conversations import conversation
from tests.e2e.spoken import Line, read_stm

DATA = Path(__file__).parents[1] / "data"
CALL = read_stm(DATA / "call.stm")
UNKNOWN = SpeakerHints()


def decoded(source: Path, folder: Path) -> DecodedAudio:
    limits = DecodeLimits(max_duration=10_000_000, max_memory=1 << 30, max_seconds=60.0)
    return AvDecoder().decode(source, folder, limits, lambda _: None).mix


def spans(lines: Sequence[Line], speaker: str | None = None) -> tuple[Span, ...]:
    return tuple(
        Span(round(line.start * 1000), round(line.end * 1000)) for line in lines if speaker in {None, line.speaker}
    )


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    return decoded(DATA / "call.flac", tmp_path_factory.mktemp("call"))


@pytest.fixture
def request_() -> DiarizationRequest:
    return DiarizationRequest(speech=spans(CALL), hints=SpeakerHints(exact=2))


class TestAcousticDiarizer(DiarizationContract, adapter=AcousticDiarizer):
    @pytest.fixture
    def engine(self) -> DiarizationEngine:
        return AcousticDiarizer()


class TestScriptedDiarizer(DiarizationContract, adapter=ScriptedDiarizer):
    @pytest.fixture
    def engine(self) -> DiarizationEngine:
        return ScriptedDiarizer()


class TestHostedDiarizationEngine(DiarizationContract, adapter=HostedDiarizationEngine):
    @pytest.fixture
    def engine(self) -> Iterator[DiarizationEngine]:
        hosted = HostedDiarizationEngine(ScriptedDiarizer(), Hosting())
        yield hosted
        hosted.close()

    def unloaded(self, engine: DiarizationEngine) -> DiarizationEngine:
        assert isinstance(engine, HostedDiarizationEngine)
        return engine._engine


class TestChannelDiarizer(DiarizationContract, adapter=ChannelDiarizer):
    traits = DiarizerTraits(counts=False)

    @pytest.fixture
    def engine(self) -> DiarizationEngine:
        return ChannelDiarizer()

    @pytest.fixture
    def request_(self) -> DiarizationRequest:
        channels = (spans(CALL, "agent"), spans(CALL, "caller"))
        return DiarizationRequest(speech=spans(CALL), hints=UNKNOWN, channel_speech=channels)


class Broken(ScriptedDiarizer):
    """Keeps the contract but for what `spoil` does to its answer."""

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        return self.spoil(super().diarize(audio, request, on_progress))

    def spoil(self, answer: Diarization) -> Diarization:
        raise NotImplementedError


class Unsorted(Broken):
    def spoil(self, answer: Diarization) -> Diarization:
        return Diarization(turns=answer.turns[::-1], exclusive=answer.exclusive)


class Overlapping(Broken):
    def spoil(self, answer: Diarization) -> Diarization:
        late = [SpeakerTurn(Span(turn.span.start, turn.span.end + 5_000), turn.speaker) for turn in answer.exclusive]
        return Diarization(turns=answer.turns, exclusive=tuple(late))


class Forgetful(Broken):
    def spoil(self, answer: Diarization) -> Diarization:
        return Diarization(turns=answer.turns[::2], exclusive=answer.exclusive[::2])


class OneVoice(Broken):
    def spoil(self, answer: Diarization) -> Diarization:
        turns = tuple(SpeakerTurn(turn.span, "one") for turn in answer.turns)
        return Diarization(turns=turns, exclusive=turns)


class Deaf(ScriptedDiarizer):
    """Never tells how far it is, and so cannot be stopped."""

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:  # noqa: ARG002
        return super().diarize(audio, request, lambda _: None)


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (Unsorted, "test_turns_are_sorted_not_empty_and_inside"),
        (Overlapping, "test_exclusive_turns_give_each_instant_to_one"),
        (Forgetful, "test_turns_cover_the_speech_and_little_else"),
        (OneVoice, "test_counts_are_kept"),
        (Deaf, "test_the_sink_can_stop_it_and_it_works_again"),
        (Deaf, "test_progress_rises_to_the_end"),
    ],
)
async def test_the_contract_catches_a_broken_diarizer(
    broken: type[DiarizationEngine], caught: str, audio: DecodedAudio, request_: DiarizationRequest
) -> None:
    fixtures = {"audio": lambda: audio, "request_": lambda: request_}
    assert caught in await failures(DiarizationContract, caught, engine=broken, **fixtures)
    assert not await failures(DiarizationContract, caught, engine=ScriptedDiarizer, **fixtures)


def agreement(turns: Sequence[SpeakerTurn], lines: Sequence[Line]) -> float:
    """Share of the lines' time that is on the right speaker, under the best mapping of labels to speakers."""
    labels, speakers = sorted({turn.speaker for turn in turns}), sorted({line.speaker for line in lines})
    by = {
        (label, speaker): sum(
            turn.span.overlap(span) for turn in turns if turn.speaker == label for span in spans(lines, speaker)
        )
        for label in labels
        for speaker in speakers
    }
    padded = [*speakers, *[""] * max(0, len(labels) - len(speakers))]
    best = max(
        sum(by.get((label, speaker), 0) for label, speaker in zip(labels, order, strict=False))
        for order in itertools.permutations(padded, len(labels))
    )
    return best / covered(spans(lines))


def test_two_parties_of_a_call_are_told_apart(audio: DecodedAudio, request_: DiarizationRequest) -> None:
    answer = AcousticDiarizer().diarize(audio, request_, lambda _: None)
    assert agreement(answer.exclusive, CALL) >= 0.85


def test_parties_on_channels_keep_their_names_and_may_talk_at_once(audio: DecodedAudio) -> None:
    channels = ((Span(0, 4_000), Span(9_000, 12_000)), (Span(3_000, 8_000),))
    request = DiarizationRequest(speech=(Span(0, 12_000),), hints=UNKNOWN, channel_speech=channels)
    answer = ChannelDiarizer().diarize(audio, request, lambda _: None)
    assert [(turn.span.start, turn.speaker) for turn in answer.turns] == [
        (0, channel_label(0)), (3_000, channel_label(1)), (9_000, channel_label(0)),
    ]  # fmt: skip
    assert answer.turns[0].span.overlap(answer.turns[1].span) == 1_000
    assert sum(turn.span.duration for turn in answer.exclusive) == 11_000


def test_an_echo_of_the_other_party_is_no_turn(audio: DecodedAudio) -> None:
    channels = ((Span(0, 4_000),), (Span(1_000, 1_300), Span(5_000, 7_000)))
    request = DiarizationRequest(speech=(Span(0, 7_000),), hints=UNKNOWN, channel_speech=channels)
    answer = ChannelDiarizer().diarize(audio, request, lambda _: None)
    assert [turn.span for turn in answer.turns] == [Span(0, 4_000), Span(5_000, 7_000)]


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_blocks_of_a_long_recording_agree_on_who_is_who(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        once = Path(decoded(DATA / "call.flac", tmp_path).path).read_bytes()
        file.writeframes(once * 6)
    audio = decoded(tmp_path / "long.wav", tmp_path)
    length = len(once) // 32
    lines = [
        Line(line.start + turn * length / 1000, line.end + turn * length / 1000, line.speaker, line.text)
        for turn in range(6)
        for line in CALL
    ]
    request = DiarizationRequest(speech=spans(lines), hints=SpeakerHints(exact=2))
    whole = AcousticDiarizer().diarize(audio, request, lambda _: None)
    blocked = AcousticDiarizer(block=45_000).diarize(audio, request, lambda _: None)
    assert len(blocked.speakers) == len(whole.speakers) == 2
    assert agreement(whole.exclusive, lines) >= 0.85
    assert agreement(blocked.exclusive, lines) >= 0.85


def test_cepstra_are_those_of_librosa() -> None:
    """Against what librosa 0.11 made of this noise, which takes half a minute to compile itself:

    bands = librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=40)
    librosa.feature.mfcc(S=librosa.power_to_db(bands, top_db=None), n_mfcc=20)[1:].T
    """
    theirs = np.load(Path(__file__).parent.parent / "data" / "cepstra.npy")
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    ours, level = cepstra(np.pad(sound, MARGIN))
    assert ours.shape == theirs.shape == (len(ours), COEFFICIENTS)
    assert level.shape == (len(ours),)
    np.testing.assert_allclose(ours, theirs, atol=1e-2)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("speakers", "seed"), [(1, 3), (2, 1), (3, 2)])
def test_voices_that_differ_are_counted_and_told_apart(tmp_path: Path, speakers: int, seed: int) -> None:
    told = conversation(tmp_path / "audio", seconds=60, speakers=speakers, seed=seed)
    request = DiarizationRequest(speech=told.speech, hints=UNKNOWN)
    answer = AcousticDiarizer().diarize(told.audio, request, lambda _: None)
    lines = [Line(turn.span.start / 1000, turn.span.end / 1000, turn.speaker, "") for turn in told.turns]
    assert len(answer.speakers) == speakers
    assert agreement(answer.exclusive, lines) >= 0.95


_PEAK = """
import sys
from pathlib import Path
from adapters.diarization.acoustic import AcousticDiarizer
from application.ports.diarization import DiarizationRequest
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
path, rounds, length, *edges = sys.argv[1:]
rounds, length, edges = int(rounds), int(length), [int(edge) for edge in edges]
speech = tuple(
    Span(start, end).shift(turn * length) for turn in range(rounds) for start, end in zip(edges[::2], edges[1::2])
)
audio = DecodedAudio(path=Path(path), duration=rounds * length)
AcousticDiarizer().diarize(audio, DiarizationRequest(speech=speech, hints=SpeakerHints()), lambda _: None)
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    told = conversation(tmp_path / "once", seconds=600, speakers=2, seed=1)
    once = Path(told.audio.path).read_bytes()
    edges = [str(edge) for span in told.speech for edge in (span.start, span.end)]
    peaks = []
    for rounds in (1, 3):
        (tmp_path / "long").write_bytes(once * rounds)
        place = [str(tmp_path / "long"), str(rounds), str(told.audio.duration)]
        peaks.append(int(subprocess.check_output([sys.executable, "-c", _PEAK, *place, *edges], text=True)) / 1024)
    assert peaks[1] - peaks[0] <= 12, "MB for 20 further minutes"
    assert peaks[1] <= 400


@pytest.mark.speech
@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("ignore::UserWarning:pyannote")
def test_a_telephone_call_between_two_people(speech: Path, tmp_path: Path) -> None:
    audio = decoded(speech / "telephone.wav", tmp_path)
    regions = SileroVad().speech(audio, lambda _: None)
    answer = AcousticDiarizer().diarize(audio, DiarizationRequest(speech=regions, hints=UNKNOWN), lambda _: None)
    reference, hypothesis = Annotation(), Annotation()
    for number, row in enumerate((speech / "telephone.rttm").read_text().splitlines()):
        _, _, _, start, length, _, _, speaker, *_ = row.split()
        reference[Segment(float(start), float(start) + float(length)), number] = speaker
    for number, turn in enumerate(answer.turns):
        hypothesis[Segment(turn.span.start / 1000, turn.span.end / 1000), number] = turn.speaker
    assert len(answer.speakers) == 2
    assert DiarizationErrorRate()(reference, hypothesis) <= 0.20, "no collar, overlap scored"
