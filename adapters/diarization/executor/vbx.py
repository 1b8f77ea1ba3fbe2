"""A Bayesian mixture of speakers in the space of a PLDA (Landini et al., 2022), as community-1 clusters with it.

It must not decide how many voices it is given: memory goes with voices times initial clusters.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import logsumexp, softmax

from domain.errors import EngineUnavailable

Array = NDArray[np.float64]

_ROUNDS = 20
_GAIN = 1e-4
"""The least gain of the bound for which another round is done."""
_DIMENSIONS = 128
"""Of the space, the most that are used."""
_SMOOTHING = 7.0
"""How firmly a voice is in its initial cluster: 1,100 to 1 against any other."""


@dataclass(frozen=True, slots=True)
class Plane:
    """The space in which voices of one speaker vary with unit spread, and speakers with `between`."""

    centre: Array
    reduction: Array
    reduced_centre: Array
    mean: Array
    turn: Array
    between: Array

    def project(self, vectors: NDArray[np.float32]) -> Array:
        """Centre, scale and reduce the vectors, then turn them into the space."""
        wide, narrow = self.reduction.shape
        scaled = np.sqrt(wide) * _unit(vectors - self.centre)
        reduced = np.sqrt(narrow) * _unit(scaled @ self.reduction - self.reduced_centre)
        turned: Array = (reduced - self.mean) @ self.turn
        return turned


def plane(path: Path) -> Plane:
    """Read the arrays and find the axes in which both covariances are diagonal, the widest between speakers first."""
    try:
        with np.load(path) as arrays:
            tr, psi = arrays["tr"], arrays["psi"]
            centre, lda, reduced, mean = (arrays[name] for name in ("mean1", "lda", "mean2", "mu"))
    except (OSError, KeyError, ValueError) as error:
        raise EngineUnavailable(f"{path} cannot be read: {error}") from error
    within = np.linalg.inv(tr.T @ tr)
    between = np.linalg.inv((tr.T / psi) @ tr)
    spreads, axes = eigh(between, within)
    turn, spreads = axes[:, ::-1][:, :_DIMENSIONS], spreads[::-1][:_DIMENSIONS]
    return Plane(centre, lda, reduced, mean, turn=turn, between=spreads)


def mixture(points: Array, between: Array, start: NDArray[np.int64], *, fa: float, fb: float) -> tuple[Array, Array]:
    """Return each speaker's share in each point, and the speakers' weights: those not needed go to nothing.

    `start` is each point's initial cluster; `fa` scales the evidence, `fb` the cost of a speaker.
    """
    share = softmax(np.eye(start.max() + 1)[start] * _SMOOTHING, axis=1)
    weight = np.full(share.shape[1], 1 / share.shape[1])
    spread = points * np.sqrt(between)
    constant = -0.5 * ((points**2).sum(axis=1, keepdims=True) + points.shape[1] * np.log(2 * np.pi))
    before = -np.inf
    for _ in range(_ROUNDS):
        precision = 1 / (1 + fa / fb * share.sum(axis=0)[:, None] * between)
        model = fa / fb * precision * (share.T @ spread)
        evidence = fa * (spread @ model.T - 0.5 * (precision + model**2) @ between + constant)
        evidence += np.log(weight + 1e-8)
        total = logsumexp(evidence, axis=1, keepdims=True)
        share = np.exp(evidence - total)
        weight = share.sum(axis=0) / share.sum()
        bound = total.sum() + fb * 0.5 * (np.log(precision) - precision - model**2 + 1).sum()
        if bound - before < _GAIN:
            break
        before = bound
    return share, weight


def _unit(vectors: Array) -> Array:
    scaled: Array = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
