"""Telling the voices within one stretch of speech apart: how many there are, and who holds each frame.

Knows frames only: no files, no times and no more than one stretch, of minutes, at once.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from sklearn.mixture import GaussianMixture

from adapters.diarization import mixtures
from adapters.diarization.clusters import Clusters, Merge, apart, groups, merging
from adapters.diarization.mixtures import Frames, Labels

_PIECES_SHORT = (100, 150, 200, 250, 300, 400)
"""Frames in the pieces that a partition starts from, 1 to 4 s. The result for half a minute of speech hangs on where
the cuts fall, so all six are tried, each also shifted by half a piece."""

_PIECES_LONG = (200, 300)
"""For longer stretches the cuts matter less, and the time more."""

_LONG = 12_000
_FEWEST = 20
_MEAN_RUN = 100
"""Frames, 1 s: what people hold the floor for, on average, at the least. Kinds of sounds come back sooner."""

_RIDGE = 1e-3

Tree = tuple[list[int], list[Merge]]
"""The edges of the pieces, and the merges that make one cluster of them all."""


def assigned(cepstra: Frames, least: int, most: int) -> Iterator[tuple[Labels, int]]:
    """Yield ever better answers, of which the last stands: a speaker for each frame, and how many there are.

    `cepstra` has shape (frames, dim). The count is between `least` and `most` wherever there are frames enough. One
    more speaker is believed while the likelihood rises, each talks for a while at a time, and every two of them stay
    apart by the criterion of `clusters`.
    """
    frames = _whitened(cepstra)
    most = min(most, max(1, len(frames) // _FEWEST))
    least = min(least, most)
    labels: Labels = np.zeros(len(frames), np.int64)
    yield labels, 1
    if most == 1:
        return
    start = mixtures.background(frames)
    trees = [_tree(frames, edges) for edges in _cuts(len(frames), least)]
    _, before = mixtures.reassigned(frames, labels, 1, start, mixtures.SEARCHING)
    for speakers in range(2, most + 1):
        if not (further := _likeliest(frames, trees, speakers, start)):
            return
        labels, likelihood = further
        if speakers > least and (likelihood <= before or not _believed(frames, labels, speakers)):
            return
        before = likelihood
        yield labels, speakers


def _believed(frames: Frames, labels: Labels, speakers: int) -> bool:
    """Whether each of them talks like a person, for a while at a time, and no two sound alike."""
    starts = labels[np.flatnonzero(np.diff(labels, prepend=-1))]
    runs = np.bincount(starts, minlength=speakers)
    held = np.bincount(labels, minlength=speakers)
    if (held < _FEWEST).any() or (held < _MEAN_RUN * runs).any():
        return False
    return apart(Clusters.of([frames[labels == speaker] for speaker in range(speakers)]))


def _whitened(cepstra: Frames) -> Frames:
    """Decorrelate to unit variance, so that diagonal mixtures and one ridge fit every channel."""
    centred = cepstra.astype(np.float64) - cepstra.mean(axis=0)
    spread = centred.T @ centred / len(centred)
    values, vectors = np.linalg.eigh(spread)
    white: Frames = (centred @ (vectors / np.sqrt(np.maximum(values, _RIDGE)))).astype(np.float32)
    return white


def _cuts(size: int, least: int) -> Iterator[list[int]]:
    """Edges of equal pieces from 0 to `size`, in every length and offset; always pieces enough for `least` speakers."""
    lengths, shifts = (_PIECES_SHORT, (0, 2)) if size <= _LONG else (_PIECES_LONG, (0,))
    for length in sorted({min(length, size // least) for length in lengths}):
        for shift in shifts:
            first = length // shift if shift else length
            yield [0, *(cut for cut in range(first, size, length) if size - cut >= _FEWEST), size]


def _tree(frames: Frames, edges: list[int]) -> Tree:
    pieces = Clusters.of([frames[start:end] for start, end in pairwise(edges)])
    return edges, merging(pieces, 1)


def _likeliest(frames: Frames, trees: list[Tree], speakers: int, start: GaussianMixture) -> tuple[Labels, float] | None:
    """Start from every tree, cut at `speakers`; the likeliest path in which nobody falls silent, and how likely.

    Where somebody always does, a tree's own cut, with no likelihood at all; None when no tree has that many pieces.
    """
    kept: tuple[Labels, float] | None = None
    for edges, steps in trees:
        lengths = np.diff(edges)
        if len(lengths) < speakers:
            continue
        cluster_of = np.empty(len(lengths), np.int64)
        for cluster, members in enumerate(groups(len(lengths), steps[: len(lengths) - speakers])):
            cluster_of[members] = cluster
        initial = np.repeat(cluster_of, lengths)
        labels, likelihood = mixtures.reassigned(frames, initial, speakers, start, mixtures.SEARCHING)
        if kept is None:
            kept = initial, -np.inf
        if len(np.unique(labels)) == speakers and likelihood > kept[1]:
            kept = labels, likelihood
    return kept
