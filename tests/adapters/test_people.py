"""The speakers of blocks linked into people, on centroids whose truth is known; and where recordings are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from adapters.diarization.blocks import shared_windows, stretches
from adapters.diarization.people import Voices, linked, pooled
from domain.span import Span

DIMENSION = 64


def recording(people: int, blocks: int, noise: float, seed: int) -> tuple[list[Voices], list[NDArray[np.int64]]]:
    """Blocks in which some of the people speak, in any order, each with its own shade of its voice."""
    chance = np.random.default_rng(seed)
    voices = np.linalg.qr(chance.normal(size=(DIMENSION, people)))[0].T
    found, truth = [], []
    for _ in range(blocks):
        here = chance.permutation(people)[: int(chance.integers(1, people + 1))]
        shades = voices[here] + noise * chance.normal(size=(len(here), DIMENSION)) / DIMENSION**0.5
        found.append(Voices(shades * chance.uniform(0.5, 20, (len(here), 1)), chance.uniform(1e3, 1e6, len(here))))
        truth.append(here)
    return found, truth


def same_partition(first: list[NDArray[np.int64]], second: list[NDArray[np.int64]]) -> bool:
    pairs = set(zip(np.concatenate(first).tolist(), np.concatenate(second).tolist(), strict=True))
    return len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


@pytest.mark.parametrize("seed", range(8))
def test_people_are_found_again_in_every_block(seed: int) -> None:
    blocks, truth = recording(people=6, blocks=16, noise=0.5, seed=seed)
    assert same_partition(linked(blocks, 1, 20), truth)


@given(
    people=st.integers(1, 6), blocks=st.integers(1, 7), noise=st.floats(0, 5), seed=st.integers(0, 10_000),
    bounds=st.tuples(st.integers(1, 8), st.integers(1, 8)).map(sorted),
)  # fmt: skip
def test_counts_are_kept_and_two_speakers_of_a_block_are_two_people(
    people: int, blocks: int, noise: float, seed: int, bounds: list[int]
) -> None:
    found, _ = recording(people, blocks, noise, seed)
    speakers = sum(len(block.weights) for block in found)
    count = len(set(np.concatenate(linked(found, bounds[0], bounds[1])).tolist()))
    assert min(bounds[0], speakers) <= count <= bounds[1]
    assert all(len(set(who.tolist())) == len(who) for who in linked(found, bounds[0], speakers))


def test_a_fragment_makes_room_for_the_people_that_were_counted() -> None:
    """Three people in two blocks, and in each a second or two of the first that was taken for somebody else."""
    voices, stray = np.eye(4)[:3], np.array([0.4, 0.0, 0.0, 0.9])
    blocks = [Voices(np.stack([stray, *voices]), np.array([2e3, 9e4, 8e4, 7e4])) for _ in range(2)]
    assert [who.tolist() for who in linked(blocks, 1, 20)] == [[0, 1, 2, 3]] * 2
    assert [who.tolist() for who in linked(blocks, 3, 3)] == [[0, 0, 1, 2]] * 2


def test_a_voice_that_was_not_heard_is_like_nobody() -> None:
    blocks = [Voices(np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones(2)), Voices(np.array([[1.0, 0.0]]), np.ones(1))]
    numbers = linked(blocks, 1, 20)
    assert [who.tolist() for who in numbers] == [[0, 1], [0]]
    np.testing.assert_allclose(pooled(blocks, numbers, 0), [1.0, 0.0])
    assert not pooled(blocks, numbers, 1).any()


def test_the_many_blocks_of_eight_hours_are_linked_at_once() -> None:
    blocks, truth = recording(people=20, blocks=16, noise=0.5, seed=1)
    assert same_partition(linked(blocks, 1, 50), truth)


@given(
    duration=st.integers(1, 20_000_000), size=st.integers(60_000, 3_600_000),
    edges=st.lists(st.integers(0, 20_000_000), max_size=40),
)  # fmt: skip
def test_blocks_are_the_recording_and_not_much_longer_than_they_should_be(
    duration: int, size: int, edges: list[int]
) -> None:
    inside = sorted(edge % duration for edge in edges)
    speech = [Span(start, end) for start, end in zip(inside[::2], inside[1::2], strict=False)]
    blocks = stretches(speech, duration, size)
    assert [blocks[0].start, blocks[-1].end] == [0, duration]
    assert all(first.end == second.start for first, second in pairwise(blocks))
    assert all(0 < block.duration <= size + 60_000 for block in blocks)


def test_a_recording_is_cut_where_nobody_speaks() -> None:
    speech = [Span(0, 98_000), Span(99_000, 105_000), Span(110_000, 200_000)]
    assert stretches(speech, 200_000, 150_000)[0].end == 107_500


@given(
    spans=st.lists(st.tuples(st.integers(0, 590_000), st.integers(1, 40_000)), max_size=30),
    duration=st.integers(1_000, 600_000),
)
def test_every_span_has_a_window_that_holds_it(spans: list[tuple[int, int]], duration: int) -> None:
    wanted = [Span(start, start + length).clamp(Span(0, duration)) for start, length in spans]
    windows = list(shared_windows(wanted, duration, 10_000))
    assert sorted(number for _, numbers in windows for number in numbers) == list(range(len(wanted)))
    for window, numbers in windows:
        assert window.duration == 10_000
        assert window.end <= max(duration, 10_000)
        for number in numbers:
            assert wanted[number].overlap(window) >= min(wanted[number].duration, 10_000) - 1
