"""Speakers as Gaussian mixtures under a Viterbi path: who holds each frame; knows no files and no spans.

Hard assignment of frames to speakers and soft assignment within a speaker's mixture are re-estimated in turn. The
answer depends on where it starts, so callers start it several times and keep the likeliest path.
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

Labels = NDArray[np.int64]
Frames = NDArray[np.float32]
Array = NDArray[np.float64]

SEARCHING = 120.0
"""Log-likelihood that a change of speaker costs while the speakers are sought. With 40 a path falls apart into kinds of
sounds, which are then taken for too many speakers; with 250 it misses short turns."""

SETTLED = 40.0
"""The same once they are found, when short turns can be heard."""

STEP = 5
"""Frames that are decided together: 50 ms."""

_COMPONENTS = 8
_VARIANCE_FLOOR = 0.1
_UNDECIDED_ROUNDS = 3
_ROUNDS = 12
_FITTED_FRAMES = 20_000
_PRIOR = 1e-3


def background(frames: Frames) -> GaussianMixture:
    """Fit the mixture of all speakers together, from which each speaker's starts; `frames` are whitened."""
    some = frames[:: -(-len(frames) // _FITTED_FRAMES)]
    components = min(_COMPONENTS, max(1, len(some) // 20))
    mixture = GaussianMixture(components, covariance_type="diag", random_state=0, reg_covar=0.05, max_iter=25)
    with warnings.catch_warnings():
        # A rough start is all that is wanted; and too few distinct frames are an answer, not a fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(some)


def reassigned(
    frames: Frames, labels: Labels, speakers: int, start: GaussianMixture, switch: float
) -> tuple[Labels, float]:
    """Alternate models and path from `labels` on; the last path and its log-likelihood.

    `frames` has shape (frames, dim); a speaker may lose all its frames.
    """
    squared = np.concatenate([frames, frames * frames], axis=1)
    weight = np.tile(start.weights_, (speakers, 1))
    mean = np.tile(start.means_, (speakers, 1, 1))
    variance = np.tile(start.covariances_, (speakers, 1, 1))
    likelihood = -np.inf
    for turn in range(_ROUNDS):
        joint = _components(squared, weight, mean, variance).reshape(len(frames), speakers, -1)
        best = joint.max(axis=2)
        share = np.exp(joint - best[:, :, None])
        mass = share.sum(axis=2)
        if turn >= _UNDECIDED_ROUNDS:
            before = labels
            labels, likelihood = path(best + np.log(mass), switch)
            if np.array_equal(labels, before):
                break
        for speaker in range(speakers):
            own = np.flatnonzero(labels == speaker)
            if len(own) < 2 * weight.shape[1]:
                weight[speaker] = 1e-12  # too little left to model: the path will leave it
                continue
            posterior = share[own, speaker] / mass[own, speaker, None]
            count = posterior.sum(axis=0) + _PRIOR
            first, second = np.hsplit(posterior.T @ squared[own], 2)
            mean[speaker] = (first + _PRIOR * start.means_) / count[:, None]
            second = (second + _PRIOR * (start.covariances_ + start.means_**2)) / count[:, None]
            variance[speaker] = np.maximum(second - mean[speaker] ** 2, _VARIANCE_FLOOR)
            weight[speaker] = count / count.sum()
    return labels, likelihood


def path(scores: NDArray[np.floating], switch: float) -> tuple[Labels, float]:
    """Return the likeliest holder of each frame, and the path's score; `scores` has shape (frames, speakers)."""
    steps = np.add.reduceat(scores.astype(np.float64), np.arange(0, len(scores), STEP), axis=0)
    size, speakers = steps.shape
    stays = np.ones((size, speakers), bool)
    comes_from = np.zeros(size, np.int64)
    best = steps[0]
    for step in range(1, size):
        comes_from[step] = best.argmax()
        switching = best[comes_from[step]] - switch
        stays[step] = best >= switching
        best = np.where(stays[step], best, switching) + steps[step]
    holder = np.empty(size, np.int64)
    holder[-1] = best.argmax()
    for step in range(size - 1, 0, -1):
        holder[step - 1] = holder[step] if stays[step, holder[step]] else comes_from[step]
    return np.repeat(holder, STEP)[: len(scores)], float(best.max())


def _components(squared: Frames, weight: Array, mean: Array, variance: Array) -> Frames:
    """Log of weight times density for every component of every speaker, shape (frames, speakers * components)."""
    flat_mean = mean.reshape(-1, mean.shape[-1])
    flat_variance = variance.reshape(flat_mean.shape)
    factors = np.concatenate([(flat_mean / flat_variance).T, (-0.5 / flat_variance).T])
    constant = (flat_mean**2 / flat_variance + np.log(2 * np.pi * flat_variance)).sum(axis=1)
    offset = np.log(weight.ravel()) - 0.5 * constant
    scores: Frames = squared @ factors.astype(np.float32) + offset.astype(np.float32)
    return scores
