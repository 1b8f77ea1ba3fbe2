"""Clusters of frames kept as sufficient statistics, and their merging by the Bayesian information criterion.

Knows no time and no audio. A cluster is (count, sum, sum of outer products): what a full-covariance Gaussian needs,
so that clusters of many hours can be compared without their frames.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PENALTY = 2.0
"""Weight of the criterion's own term, half the parameters times the logarithm of the frames."""

GAIN_PER_FRAME = 0.29
"""What a split must gain per frame of the speech it is sought in. Frames 10 ms apart repeat one another, and one voice
varies: the best split of one speaker gained up to 0.28 a frame, that of two speakers 0.33 and more. The price is that
somebody with less than about a tenth of a long stretch may be taken for another."""

_RIDGE = 1e-2

Merge = tuple[int, int, float]
"""The cluster kept, the one absorbed, and the evidence against the merge."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Statistics of several clusters: shapes (clusters,), (clusters, dim), (clusters, dim, dim)."""

    count: Array
    total: Array
    outer: Array

    def __len__(self) -> int:
        return len(self.count)

    @staticmethod
    def of(groups: Sequence[NDArray[np.float32]]) -> "Clusters":
        """Measure groups of frames, each of shape (frames, dim)."""
        wide = [group.astype(np.float64) for group in groups]
        return Clusters(
            np.array([float(len(group)) for group in wide]),
            np.stack([group.sum(axis=0) for group in wide]),
            np.stack([group.T @ group for group in wide]),
        )

    @staticmethod
    def joined(parts: Sequence["Clusters"]) -> "Clusters":
        """Put several sets of clusters into one, in their order."""
        return Clusters(
            np.concatenate([part.count for part in parts]),
            np.concatenate([part.total for part in parts]),
            np.concatenate([part.outer for part in parts]),
        )

    def pooled(self, members: Sequence[Sequence[int]]) -> "Clusters":
        """Sum the clusters of each list of members."""
        rows = [list(group) for group in members]
        return Clusters(
            np.array([self.count[row].sum() for row in rows]),
            np.stack([self.total[row].sum(axis=0) for row in rows]),
            np.stack([self.outer[row].sum(axis=0) for row in rows]),
        )

    def gaussians(self) -> tuple[Array, Array]:
        """Means and covariances, the latter with a small ridge."""
        mean = self.total / self.count[:, None]
        spread = self.outer / self.count[:, None, None] - mean[:, :, None] * mean[:, None, :]
        return mean, spread + _RIDGE * np.eye(self.total.shape[1])

    def cost(self) -> Array:
        """Negative log-likelihood of each cluster under its own Gaussian, up to a constant per frame."""
        cost: Array = 0.5 * self.count * np.linalg.slogdet(self.gaussians()[1])[1]
        return cost


Asked = Callable[[Array, float, int], Array]
"""The gain that keeping clusters of some counts apart from one of another count must show, given their dimension."""


def merging(clusters: Clusters, down_to: int, asked: Asked | None = None) -> list[Merge]:
    """Merge the closest pair, again and again, until `down_to` clusters are left.

    Evidence is what the likelihood gains by keeping the pair apart, less what is `asked`: below zero, one speaker.
    """
    count, total, outer = clusters.count.copy(), clusters.total.copy(), clusters.outer.copy()
    cost = clusters.cost()
    alive = np.ones(len(count), bool)

    def against(one: int) -> Array:
        both = Clusters(count + count[one], total + total[one], outer + outer[one])
        evidence: Array = both.cost() - cost - cost[one]
        if asked:
            evidence -= asked(count, float(count[one]), total.shape[1])
        evidence[~alive] = np.inf
        evidence[one] = np.inf
        return evidence

    table = np.stack([against(one) for one in range(len(count))])
    steps: list[Merge] = []
    while alive.sum() > down_to:
        kept, absorbed = (int(i) for i in divmod(int(table.argmin()), len(count)))
        steps.append((kept, absorbed, float(table[kept, absorbed])))
        for values in (count, total, outer):
            values[kept] += values[absorbed]
        alive[absorbed] = False
        cost[kept] = Clusters(count[[kept]], total[[kept]], outer[[kept]]).cost()[0]
        table[absorbed] = table[:, absorbed] = np.inf
        table[kept] = table[:, kept] = against(kept)
    return steps


def two_speakers(count: Array, other: float, dim: int, within: float = 0) -> Array:
    """What two speakers must gain over one: the Bayesian penalty, or in long speech a share of every frame.

    `within` is the number of frames that were searched for the split, and 0 when the two were found separately.
    """
    both = count + other
    parameters = dim + dim * (dim + 1) / 2
    equal = 4 * count * other / both  # so that a speaker of one minute can stand beside one of an hour
    asked: Array = np.maximum(PENALTY * 0.5 * parameters * np.log(both), GAIN_PER_FRAME * np.maximum(equal, within))
    return asked


def groups(size: int, steps: Sequence[Merge]) -> list[list[int]]:
    """Members of each cluster after the given merges of `size` clusters."""
    members = {one: [one] for one in range(size)}
    for kept, absorbed, _ in steps:
        members[kept] += members.pop(absorbed)
    return list(members.values())


def apart(clusters: Clusters) -> bool:
    """Whether no two of the clusters look like one speaker."""
    asked = partial(two_speakers, within=float(clusters.count.sum()))
    return merging(clusters, len(clusters) - 1, asked)[0][2] >= 0
