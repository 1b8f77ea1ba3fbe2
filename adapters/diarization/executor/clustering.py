"""Voices to speakers, bounded: what was published for a few is done with a subset, the rest go to who is nearest.

It must not compare all with all beyond that subset: forty thousand voices would take gigabytes and minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from adapters.diarization.executor import vbx
from adapters.diarization.executor.exported import Clustering
from adapters.diarization.executor.voices import Spoken

Labels = NDArray[np.int64]
Vectors = NDArray[np.float32]

_SUBSET = 1_500
"""Voices that are compared with each other: 25 minutes of a conversation, in a quarter of a second and 10 MB."""
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
    subset: int = _SUBSET,
) -> tuple[NDArray[np.float64], bool]:
    """Find the speakers' centroids by the vectors in `training`, and whether the bounds forced their number."""
    least, most = (max(1, min(len(training), bound)) for bound in bounds)
    chosen = spread(training, subset)
    few = vectors[chosen]
    forced = False
    if given.kind == "vbx":
        centroids, forced = mixed(few, given, folder, least, most)
    elif most == 1:
        centroids = few.mean(axis=0, keepdims=True, dtype=np.float64)
    else:
        # Of more voices than are compared a fixed size would be a smaller and smaller share, and noise would speak.
        size = given.min_size if len(chosen) == len(training) else max(2, round(_SHARE * len(chosen)))
        centroids = means(few, joined(few, given, least, most, size))
    if len(chosen) < len(training):
        centroids = settled(vectors, training, centroids)
    return centroids, forced


def spread(of: Labels, count: int) -> Labels:
    """Take at most `count`, evenly spread over time."""
    if len(of) <= count:
        return of
    return of[np.linspace(0, len(of) - 1, count).round().astype(np.int64)]


def mixed(few: Vectors, given: Clustering, folder: Path, least: int, most: int) -> tuple[NDArray[np.float64], bool]:
    """Centroids of a Bayesian mixture begun with clusters; k-means where that gives another count than is allowed."""
    tree = linkage(unit(few), method="centroid", metric="euclidean")
    _, start = np.unique(fcluster(tree, given.threshold, criterion="distance"), return_inverse=True)
    plane = vbx.plane(folder / given.plda)
    share, weight = vbx.mixture(plane.project(few), plane.between, start, fa=given.fa, fb=given.fb)
    share = share[:, weight > _KEPT]
    centroids = share.T @ few / share.sum(axis=0)[:, None]
    wanted = min(max(len(centroids), least), most)
    if wanted == len(centroids):
        return centroids, False
    from sklearn.cluster import KMeans

    labels = KMeans(n_clusters=wanted, n_init=3, random_state=42).fit_predict(unit(few))
    return means(few, labels), True


def joined(few: Vectors, given: Clustering, least: int, most: int, size: int) -> Labels:
    """Merge voices up to a distance, or to an allowed count of speakers; who has fewer than `size` goes to another."""
    size = min(size, max(1, round(0.1 * len(few))))
    tree = linkage(unit(few), method=given.method, metric="euclidean")
    labels = fcluster(tree, given.threshold, criterion="distance") - 1
    large = _large(labels, size)
    wanted = min(max(len(large), least), most)
    while wanted != len(large):
        labels = _cut(tree, given.threshold, wanted, size)
        large = _large(labels, size)
        if len(large) >= wanted or size == 1:
            break
        # The original stops here, one short of what was asked for; smaller groups may be speakers too.
        size //= 2
    if len(large) == 0:
        return np.zeros(len(few), np.int64)
    kept, small = unit(few), np.setdiff1d(labels, large)
    if len(small):
        middles = [np.array([kept[labels == label].mean(axis=0) for label in group]) for group in (large, small)]
        targets = large[np.argmin(cdist(*middles, metric="cosine"), axis=0)]
        table = np.arange(labels.max() + 1)
        table[small] = targets
        labels = table[labels]
    return np.unique(labels, return_inverse=True)[1]


def _large(labels: Labels, size: int) -> Labels:
    found, counts = np.unique(labels, return_counts=True)
    large: Labels = found[counts >= size]
    return large


def _cut(tree: NDArray[np.float64], threshold: float, wanted: int, size: int) -> Labels:
    """Cut the tree where it has the wanted number of large clusters, or nearly, the nearer to the threshold first."""
    steps = tree.copy()
    steps[:, 2] = np.arange(len(tree))
    best, reached = len(tree), 1
    for step in np.argsort(np.abs(tree[:, 2] - threshold)):
        if steps[step, 3] < size:
            continue
        count = len(_large(fcluster(steps, step, criterion="distance"), size))
        if abs(count - wanted) < abs(reached - wanted):
            best, reached = int(step), count
        if count == wanted:
            break
    labels: Labels = fcluster(steps, best, criterion="distance") - 1
    return labels


def settled(vectors: Vectors, training: Labels, centroids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the centroids of all voices that are nearest to each, in place of those of the subset."""
    sums, counts = np.zeros_like(centroids), np.zeros((len(centroids), 1))
    for first in range(0, len(training), _ROWS):
        rows = vectors[training[first : first + _ROWS]]
        held = np.eye(len(centroids))[distances(rows, centroids).argmin(axis=1)]
        sums += held.T @ rows
        counts += held.sum(axis=0)[:, None]
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


def unit(vectors: Vectors) -> Vectors:
    """Scale to length one."""
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
