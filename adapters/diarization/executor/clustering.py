"""Voices to speakers, bounded: what was published for a few is done with a subset, the rest go to who is nearest.

It must not compare all with all beyond that subset: forty thousand voices would take gigabytes and minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from adapters.diarization.executor import vbx
from adapters.diarization.executor.exported import Clustering
from adapters.diarization.executor.merging import Labels, Tree, Vectors, joined, merged, unit
from adapters.diarization.executor.voices import Spoken

_ALL = 1_500
"""Voices up to which all are compared with each other, as the original does: 25 minutes of a conversation."""
_SUBSET = 1_000
"""Voices that stand for more than that: of one per cent of them ten, in half the time of 1,500."""
_ENOUGH = 0.2
"""Share of a window that a voice must have for itself to be one that speakers are made of."""
_SHARE = 0.005
"""Of the subset, the least that makes a speaker where there are more voices than the subset holds."""
_ROWS = 4_096
"""Voices that are compared with the speakers at once."""
_KEPT = 1e-7
"""The least weight with which a speaker survives in the mixture."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """The speaker of each voice, -1 where a window has more voices than there are speakers; and their centroids."""

    labels: Labels
    centroids: NDArray[np.float64]


def speakers(found: Spoken, given: Clustering, folder: Path, bounds: tuple[int, int]) -> Speakers:
    """Tell the speakers apart; `bounds` are the fewest and the most."""
    training = np.flatnonzero(found.alone >= _ENOUGH)
    if len(training) <= 1:
        used = training if len(training) else np.arange(len(found.vectors))
        return Speakers(
            np.zeros(len(found.vectors), np.int64), found.vectors[used].mean(axis=0, keepdims=True, dtype=np.float64)
        )
    centroids, forced = centroids_of(found.vectors, training, given, folder, bounds)
    distance = distances(found.vectors, centroids)
    # A count that was forced may be less than the voices of a window: then two of them are the same.
    labels = apart(found.window, distance) if given.kind == "vbx" and not forced else distance.argmin(axis=1)
    return Speakers(labels, centroids)


def centroids_of(
    vectors: Vectors,
    training: Labels,
    given: Clustering,
    folder: Path,
    bounds: tuple[int, int],
    *,
    limit: int = _ALL,
) -> tuple[NDArray[np.float64], bool]:
    """Find the speakers' centroids by the vectors in `training`, and whether the bounds forced their number."""
    least, most = (max(1, min(len(training), bound)) for bound in bounds)
    chosen = training if len(training) <= limit else spread(training, min(limit, _SUBSET))
    few = vectors[chosen]
    forced, whole = False, len(chosen) == len(training)
    if given.kind == "vbx":
        centroids, forced = mixed(few, merged(few, given.method, exact=whole), given, folder, (least, most))
    elif most == 1:
        centroids = few.mean(axis=0, keepdims=True, dtype=np.float64)
    else:
        # Of more voices than are compared a fixed size would be a smaller and smaller share, and noise would speak.
        size = given.min_size if whole else max(2, round(_SHARE * len(chosen)))
        tree = merged(few, given.method, exact=whole)
        centroids = means(few, joined(few, tree, given.threshold, (least, most), size))
    if not whole:
        centroids = settled(vectors, training, centroids)
    return centroids, forced


def spread(of: Labels, count: int) -> Labels:
    """Take `count`, evenly spread over time."""
    return of[np.linspace(0, len(of) - 1, count).round().astype(np.int64)]


def mixed(
    few: Vectors, tree: Tree, given: Clustering, folder: Path, bounds: tuple[int, int]
) -> tuple[NDArray[np.float64], bool]:
    """Centroids of a Bayesian mixture begun with clusters; k-means where that gives another count than is allowed."""
    _, start = np.unique(fcluster(tree, given.threshold, criterion="distance"), return_inverse=True)
    plane = vbx.plane(folder / given.plda)
    share, weight = vbx.mixture(plane.project(few), plane.between, start, fa=given.fa, fb=given.fb)
    share = share[:, weight > _KEPT]
    centroids = share.T @ few / share.sum(axis=0)[:, None]
    wanted = min(max(len(centroids), bounds[0]), bounds[1])
    if wanted == len(centroids):
        return centroids, False
    from sklearn.cluster import KMeans

    labels = KMeans(n_clusters=wanted, n_init=3, random_state=42).fit_predict(unit(few))
    return means(few, labels), True


def settled(vectors: Vectors, training: Labels, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the centroids of all voices that are nearest to each, in place of those of the subset."""
    sums, counts = np.zeros_like(centroids), np.zeros((len(centroids), 1))
    for first in range(0, len(training), _ROWS):
        rows = vectors[training[first : first + _ROWS]]
        labels = distances(rows, centroids).argmin(axis=1)
        for label in np.unique(labels).tolist():
            sums[label] += rows[labels == label].sum(axis=0)
            counts[label] += np.count_nonzero(labels == label)
    return np.where(counts > 0, sums / np.maximum(counts, 1), centroids)


def distances(vectors: Vectors, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the distance by angle of each vector to each centroid."""
    found = np.empty((len(vectors), len(centroids)))
    for first in range(0, len(vectors), _ROWS):
        found[first : first + _ROWS] = cdist(vectors[first : first + _ROWS], centroids, metric="cosine")
    return found


def apart(windows: NDArray[np.int32], distance: NDArray[np.float64]) -> Labels:
    """Give voices of one window to different speakers, the best pairs together."""
    labels = np.full(len(windows), -1, np.int64)
    starts = np.flatnonzero(np.diff(windows, prepend=-1)).tolist()
    for first, last in zip(starts, [*starts[1:], len(labels)], strict=True):
        voices, holders = linear_sum_assignment(distance[first:last])
        labels[first + voices] = holders
    return labels


def means(vectors: Vectors, labels: Labels) -> NDArray[np.float64]:
    """Give the mean of each label's vectors."""
    return np.array([vectors[labels == label].mean(axis=0, dtype=np.float64) for label in range(labels.max() + 1)])
