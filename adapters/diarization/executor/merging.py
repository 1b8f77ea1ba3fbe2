"""Merges voices step by step into speakers, as pyannote's agglomerative clustering does.

It must not be given more than may be compared all with all: time and memory go with the square.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

Labels = NDArray[np.int64]
Vectors = NDArray[np.float32]
Tree = NDArray[np.float64]
"""As scipy has them: the two clusters that each step joins, how far apart they are, and how many it then holds."""


def merged(few: Vectors, method: str, *, exact: bool) -> Tree:
    """Merge the two nearest, again and again. The exact distances are the original's to the last bit, but slow."""
    tree: Tree
    if exact:
        tree = linkage(unit(few), method=method, metric="euclidean")
    else:
        units = unit(few)
        apart = units @ units.T
        apart *= -2
        apart += 2
        np.sqrt(np.maximum(apart, 0, out=apart), out=apart)
        tree = linkage(squareform(apart, checks=False).astype(np.float64), method=method)
    return tree


def joined(few: Vectors, tree: Tree, threshold: float, bounds: tuple[int, int], size: int) -> Labels:
    """Merge voices up to a distance, or to an allowed count of speakers; who has fewer than `size` goes to another."""
    size = min(size, max(1, round(0.1 * len(few))))
    labels = fcluster(tree, threshold, criterion="distance") - 1
    large = _large(labels, size)
    wanted = min(max(len(large), bounds[0]), bounds[1])
    while wanted != len(large):
        labels = _cut(tree, threshold, wanted, size)
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


def _cut(tree: Tree, threshold: float, wanted: int, size: int) -> Labels:
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


def unit(vectors: Vectors) -> Vectors:
    """Scale to length one."""
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
