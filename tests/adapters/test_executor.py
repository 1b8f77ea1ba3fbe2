"""The executor of exported pipelines: its contract, and its parts against what they stand for. No torch."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.diarization.executor import clustering, timeline, vbx, voices
from adapters.diarization.executor.clustering import apart, centroids_of, distances
from adapters.diarization.executor.engine import ExecutorOptions, PyannoteOnnxDiarizer
from adapters.diarization.executor.exported import Clustering, Segmentation, find_exported, read_exported
from adapters.diarization.executor.fbank import fbank
from adapters.diarization.executor.pipeline import Pipeline
from adapters.diarization.executor.pooling import statistics, stretched
from adapters.diarization.executor.sound import padded, reader, window_starts
from adapters.diarization.executor.timeline import Timeline, Turns
from adapters.hosting.hosted import HostedDiarizationEngine
from adapters.hosting.policy import Hosting
from application.ports.diarization import DiarizationEngine, DiarizationRequest
from domain.errors import EngineUnavailable
from domain.media import DecodedAudio
from domain.span import Span
from domain.speaker import SpeakerHints
from tests.adapters.test_diarization import CALL, DATA, agreement, decoded, spans
from tests.contracts.diarization import DiarizationContract, DiarizerTraits

SMALL = DATA / "small-executor"
AHC = Clustering(kind="ahc", threshold=0.7, min_size=12)


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> DecodedAudio:
    return decoded(DATA / "call.flac", tmp_path_factory.mktemp("call"))


@pytest.fixture
def request_() -> DiarizationRequest:
    return DiarizationRequest(speech=spans(CALL), hints=SpeakerHints(exact=2))


def diarizer(*, fast: bool = False, model: str = SMALL.name, folder: Path = DATA) -> PyannoteOnnxDiarizer:
    return PyannoteOnnxDiarizer(ExecutorOptions(model=model, models_dir=folder, fast=fast))


class TestPyannoteOnnxDiarizer(DiarizationContract, adapter=PyannoteOnnxDiarizer):
    traits = DiarizerTraits(follows=False)

    @pytest.fixture
    def engine(self) -> DiarizationEngine:
        return diarizer()


class TestPyannoteOnnxDiarizerThatIsFast(DiarizationContract, adapter=PyannoteOnnxDiarizer):
    traits = DiarizerTraits(follows=False)

    @pytest.fixture
    def engine(self) -> DiarizationEngine:
        return diarizer(fast=True)


class TestPyannoteOnnxDiarizerInAChild(DiarizationContract, adapter=HostedDiarizationEngine):
    traits = DiarizerTraits(follows=False)

    @pytest.fixture
    def engine(self) -> Iterator[DiarizationEngine]:
        hosted = HostedDiarizationEngine(diarizer(), Hosting(threads=1))
        yield hosted
        hosted.close()

    def unloaded(self, engine: DiarizationEngine) -> DiarizationEngine:
        assert isinstance(engine, HostedDiarizationEngine)
        return engine._engine


@pytest.mark.parametrize("fast", [False, True])
def test_the_parties_of_the_call_it_was_fitted_to_are_told_apart(
    audio: DecodedAudio, request_: DiarizationRequest, *, fast: bool
) -> None:
    answer = diarizer(fast=fast).diarize(audio, request_, lambda _: None)
    assert agreement(answer.exclusive, CALL) >= 0.85
    assert [name for name, _ in answer.centroids] == list(answer.speakers)


def test_a_span_sounds_like_its_speaker(audio: DecodedAudio, request_: DiarizationRequest) -> None:
    engine = diarizer()
    centroids = dict(engine.diarize(audio, request_, lambda _: None).centroids)
    long = [line for line in CALL if line.end - line.start >= 2]
    found = engine.embed(audio, (*spans(long), Span(0, 399)), lambda _: None)
    assert found[-1] is None
    names = list(centroids)
    near = [names[int(distances(np.array([voice]), np.array([*centroids.values()])).argmin())] for voice in found[:-1]]
    told = {(line.speaker, name) for line, name in zip(long, near, strict=True)}
    assert len(told) == len({speaker for speaker, _ in told}) == 2


def test_its_files_are_checked_and_what_is_missing_is_named(tmp_path: Path, audio: DecodedAudio) -> None:
    speech = DiarizationRequest(speech=(Span(0, 1_000),), hints=SpeakerHints())
    with pytest.raises(EngineUnavailable, match="colloquy models convert ours"):
        diarizer(model="ours", folder=tmp_path).diarize(audio, speech, lambda _: None)
    shutil.copytree(SMALL, tmp_path / "ours-onnx")
    assert find_exported("ours", tmp_path) == tmp_path / "ours-onnx" == find_exported(str(tmp_path / "ours"), SMALL)
    head = tmp_path / "ours-onnx" / "embedding_head.npz"
    head.write_bytes(head.read_bytes()[:-1] + b"!")
    with pytest.raises(EngineUnavailable, match=r"embedding_head\.npz"):
        diarizer(model="ours", folder=tmp_path).diarize(audio, speech, lambda _: None)
    (tmp_path / "ours-onnx" / "executor.json").write_text("{}")
    with pytest.raises(EngineUnavailable, match="damaged"):
        diarizer(model="ours", folder=tmp_path).load()


def test_features_are_what_their_definition_says() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 1_000).astype(np.float32)
    ours = fbank(sound, bins=80, length=400, shift=160)
    frame = sound[320:720].astype(np.float64) * 32_768
    frame -= frame.mean()
    frame = (frame - 0.97 * np.concatenate([frame[:1], frame[:-1]])) * np.hamming(400)
    power = [abs(sum(frame * np.exp(-2j * np.pi * k * np.arange(400) / 512))) ** 2 for k in range(256)]
    mel = 1127 * np.log(1 + np.arange(256) * 31.25 / 700)
    low, high = (1127 * np.log(1 + hertz / 700) for hertz in (20, 8_000))
    width = (high - low) / 81
    bands = [np.clip(1 - abs(mel - (low + width * (band + 1))) / width, 0, None) for band in range(80)]
    assert ours.shape == (4, 80)
    np.testing.assert_allclose(ours[2], np.log([band @ power for band in bands]), atol=1e-3)
    assert fbank(sound[:399], bins=80, length=400, shift=160).shape == (0, 80)


def test_windows_hear_the_same_whether_they_are_taken_together_or_one_by_one(audio: DecodedAudio) -> None:
    pipeline = Pipeline(SMALL, read_exported(SMALL), fast=False, threads=1)
    read, total = reader(audio), audio.duration * 16
    active = pipeline.active(read, total, lambda _: None)
    active[3:9] = 0
    together = pipeline.voices(read, total, active, lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "_TOGETHER", 1)
        alone = pipeline.voices(read, total, active, lambda _: None)
    np.testing.assert_allclose(together.vectors, alone.vectors, atol=1e-5)
    assert not set(together.window.tolist()) & {3, 4, 5, 6, 7, 8}


def test_the_fast_mode_hears_nearly_the_same_and_does_not_depend_on_its_blocks(audio: DecodedAudio) -> None:
    exact, fast = (Pipeline(SMALL, read_exported(SMALL), fast=mode, threads=1) for mode in (False, True))
    read, total = reader(audio), audio.duration * 16
    active = exact.active(read, total, lambda _: None)
    whole = fast.voices(read, total, active, lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voices, "_BLOCK", 64)
        blocked = fast.voices(read, total, active, lambda _: None)
    np.testing.assert_allclose(whole.vectors, blocked.vectors, atol=1e-4)
    near = exact.voices(read, total, active, lambda _: None)
    full = (near.alone > 0.2) & (near.window < len(active) - 1)
    cosine = 1 - np.array(
        [distances(a[None], b[None].astype(float))[0, 0] for a, b in zip(near.vectors, whole.vectors, strict=True)]
    )
    assert np.median(cosine[full]) > 0.9


def test_statistics_are_those_of_the_frames_a_voice_holds() -> None:
    frames = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    held = np.array([[1, 0, 1, 1, 0, 0, 0, 0, 1], [0] * 9, [0, 1] + [0] * 7], bool)
    made = statistics(frames, held)
    np.testing.assert_allclose(made[0], [*frames[:, held[0]].mean(1), *frames[:, held[0]].std(1, ddof=1)], atol=1e-6)
    assert not made[1].any()
    np.testing.assert_allclose(made[2], [*frames[:, 1], *[0.0] * 5])
    assert stretched(held, 3).tolist() == held[:, [0, 3, 6]].tolist()


def test_a_recording_ends_in_silence_and_windows_reach_its_end() -> None:
    sound = np.arange(1, 6, dtype=np.float32)
    assert padded(sound, -2, 4).tolist() == [0, 0, 1, 2]
    assert padded(sound, 3, 4).tolist() == [4, 5, 0, 0]
    assert padded(sound, 9, 2).tolist() == [0, 0]
    assert [list(window_starts(n, 10, 5)) for n in (0, 10, 11, 20)] == [[0], [0], [0, 5], [0, 5, 10]]


def voices_of(sizes: list[int], noise: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(sizes), 64))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    truth = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = centres[truth] + random.normal(0, noise / 8, (len(truth), 64))
    return points.astype(np.float32), truth


@pytest.mark.parametrize("noise", [0.3, 0.6])
def test_a_subset_finds_the_speakers_that_all_voices_find(noise: float) -> None:
    points, truth = voices_of([900, 700, 500, 60], noise)
    everyone = np.arange(len(points))
    whole, few = (centroids_of(points, everyone, AHC, Path(), (1, 20), limit=limit)[0] for limit in (len(points), 600))
    for found in (whole, few):
        labels = distances(points, found).argmin(axis=1)
        assert len(found) == 4
        assert len({*zip(labels.tolist(), truth.tolist(), strict=True)}) == 4


@pytest.mark.parametrize(("bounds", "count"), [((1, 2), 2), ((6, 9), 6), ((3, 3), 3), ((1, 1), 1)])
def test_counts_are_forced_on_a_subset_too(bounds: tuple[int, int], count: int) -> None:
    points, _ = voices_of([400, 300, 200, 100], 0.5)
    for limit in (300, 5_000):
        assert len(centroids_of(points, np.arange(len(points)), AHC, Path(), bounds, limit=limit)[0]) == count


def test_a_bayesian_mixture_drops_the_speakers_that_it_does_not_need(tmp_path: Path) -> None:
    points, truth = voices_of([60, 50, 40], 0.5)
    spread = {"mean1": np.zeros(64), "lda": np.eye(64), "mean2": np.zeros(64), "mu": np.zeros(64), "tr": np.eye(64)}
    np.savez(tmp_path / "plda.npz", **spread, psi=np.linspace(9.0, 1.0, 64))  # type: ignore[arg-type]
    plane = vbx.plane(tmp_path / "plda.npz")
    np.testing.assert_allclose(plane.between, np.linspace(9.0, 1.0, 64))
    start = truth * 2 + np.arange(len(truth)) % 2
    share, weight = vbx.mixture(plane.project(points), plane.between, start, fa=0.07, fb=0.8)
    assert (weight > 0.01).sum() == 3
    assert len({*zip(share.argmax(axis=1).tolist(), truth.tolist(), strict=True)}) == 3
    given = Clustering(kind="vbx", threshold=0.6, plda="plda.npz", fa=0.07, fb=0.8)
    for bounds, count in (((1, 20), 3), ((2, 2), 2), ((5, 9), 5)):
        centroids, forced = centroids_of(points, np.arange(len(points)), given, tmp_path, bounds)
        assert (len(centroids), forced) == (count, count != 3)


def test_voices_of_one_window_are_different_people() -> None:
    distance = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.1]])
    assert apart(np.array([0, 0, 7], np.int32), distance).tolist() == [0, 1, 1]
    assert apart(np.array([0, 0, 0], np.int32), distance).tolist() == [0, -1, 1]


NETWORK = Segmentation(
    file="", window=160_000, step=16_000, frames=589, frame_step=0.016875, frame_duration=0.0619375, slots=3, at_once=2,
    min_duration_off=0.0,
)  # fmt: skip


def laid(network: Segmentation, seed: int, windows: int = 40) -> tuple[Turns, Turns]:
    random = np.random.default_rng(seed)
    active = np.repeat(random.choice([0, 1, 2, 4, 3, 5, 6], (windows, 19)).astype(np.uint8), 31, axis=1)
    holders = random.integers(-1, 4, (windows, 3)).astype(np.int8)
    line = Timeline(network, windows)
    return line.turns(active, holders, line.talking(active))


def test_the_timeline_does_not_depend_on_its_blocks() -> None:
    whole = laid(NETWORK, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "_BLOCK", 97)
        assert laid(NETWORK, 1) == whole
    assert len(whole[0]) > 50


def test_exclusive_turns_are_of_those_who_talk_and_cover_as_much() -> None:
    whole, single = laid(NETWORK, 2)
    edges = sorted({edge for turn in (*whole, *single) for edge in turn[:2]})
    for start, end in pairwise(edges):
        talking = {who for a, b, who in whole if a <= start and end <= b}
        alone = {who for a, b, who in single if a <= start and end <= b}
        assert alone <= talking
        assert len(alone) == min(1, len(talking))


def test_short_silences_are_bridged_where_the_pipeline_says_so() -> None:
    line = Timeline(NETWORK, 1)
    active = np.zeros((1, 589), np.uint8)
    active[0, 100:200] = active[0, 210:300] = 1
    holders = np.array([[0, -1, -1]], np.int8)
    for off, count in ((0.0, 2), (0.2, 1)):
        network = Segmentation(
            **{name: getattr(NETWORK, name) for name in NETWORK.__struct_fields__} | {"min_duration_off": off}
        )
        turns, _ = Timeline(network, 1).turns(active, holders, line.talking(active))
        assert len(turns) == count
        assert turns[0][0] == pytest.approx(100 * 0.016875 + 0.0619375 / 2)


def test_the_sizes_of_clusters_are_a_share_where_a_subset_stands_for_all() -> None:
    points, _ = voices_of([3_000, 2_000], 0.3)
    stray, _ = voices_of([20], 0.1, seed=5)
    found, _ = centroids_of(np.concatenate([points, stray]), np.arange(5_020), AHC, Path(), (1, 20))
    assert len(found) == 2, "20 of 5,020 voices are no speaker; clustering._SHARE says how many would be"
    assert clustering._SHARE * 5_020 > 20


_EIGHT_HOURS = """
import sys, time
from pathlib import Path
import numpy as np
from adapters.diarization.executor.clustering import speakers
from adapters.diarization.executor.exported import Clustering, read_exported
from adapters.diarization.executor.timeline import Timeline
from adapters.diarization.executor.voices import Spoken
network = read_exported(Path(sys.argv[1])).segmentation
windows, people = 28_791, 20
random = np.random.default_rng(0)
started = time.perf_counter()
active = np.zeros((windows, network.frames), np.uint8)
active[:, :350], active[:, 250:500], active[:, 450:] = 1, active[:, 250:500] | 2, 2
window, slot = np.repeat(np.arange(windows, dtype=np.int32), 2), np.tile(np.array([0, 1], np.int8), windows)
who = (window // 7 + slot) % people
centres = random.normal(size=(people, 256)).astype(np.float32)
vectors = centres[who] + 0.3 * random.normal(size=(len(who), 256)).astype(np.float32)
found = Spoken(window, slot, np.full(len(who), 0.4, np.float32), vectors)
told = speakers(found, Clustering(kind="ahc", threshold=0.7, min_size=12), Path(), (1, 50))
holders = np.full((windows, network.slots), -1, np.int8)
holders[found.window, found.slot] = told.labels
line = Timeline(network, windows)
whole, single = line.turns(active, holders, line.talking(active))
status = Path("/proc/self/status").read_text()
print(len(told.centroids), len(whole), int(status.split("VmHWM:")[1].split()[0]) // 1024, time.perf_counter() - started)
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_eight_hours_of_windows_are_clustered_and_laid_out_in_little_memory() -> None:
    command = [sys.executable, "-c", _EIGHT_HOURS, str(SMALL)]
    people, turns, megabytes, seconds = subprocess.check_output(command, text=True).split()
    assert int(people) == 20
    assert int(turns) > 1_000
    assert int(megabytes) <= 500, f"{megabytes} MB, of which 60 are the voices; {seconds} s"
