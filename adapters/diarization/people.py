"""Tells which speakers of a long recording's blocks are one person, by their centroids.

It must not know what the centroids are made of: it compares directions, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float64]

ALIKE = 0.5
"""Cosine from which two centroids are one voice. Centroids average minutes, so those of one voice lie close together;
pyannote's own thresholds, made for single windows, are cosines of 0.75 (3.1) and 0.82 (community-1, before VBx merges
further), and unrelated voices are near 0."""


@dataclass(frozen=True, slots=True)
class Voices:
    """The speakers of one block: centroids, shape (speakers, dimension), and the ms that each of them speaks.

    A row of zeros is a speaker whose voice could not be heard; it is like nobody.
    """

    centroids: Vectors
    weights: Vectors

    @property
    def directions(self) -> Vectors:
        """Centroids of length one, or zero."""
        lengths = np.linalg.norm(self.centroids, axis=1, keepdims=True)
        found: Vectors = self.centroids / np.where(lengths > 0, lengths, 1.0)
        return found


def linked(blocks: Sequence[Voices], least: int, most: int) -> list[NDArray[np.int64]]:
    """Number the people of the whole recording: for each block, the number of each of its speakers.

    The likest are merged first, as long as they are alike and more than `least`; two speakers of one block never are.
    Only where that leaves more than `most` people, those go whose going changes least (Ward's criterion, by how long
    they speak): fragments that a block has split off join whom they are likest, if it be a speaker of their own block.
    People are numbered as they come.
    """
    if not any(len(block.weights) for block in blocks):
        return [np.empty(0, np.int64) for _ in blocks]
    owner = np.concatenate([np.full(len(block.weights), number) for number, block in enumerate(blocks)])
    weights = np.concatenate([block.weights for block in blocks])
    groups = _Groups(np.concatenate([block.directions for block in blocks]), weights)
    apart = owner[:, None] == owner[None, :]  # also each from itself
    while groups.count > least and groups.merge(np.where(apart, -np.inf, groups.likeness()), ALIKE, apart):
        pass
    while groups.count > most:
        groups.merge(-groups.costs(), -np.inf)
    people = np.empty(len(owner), np.int64)
    for number, members in enumerate(sorted(groups.members, key=min)):
        people[members] = number
    return [people[owner == number] for number in range(len(blocks))]


def pooled(blocks: Sequence[Voices], people: Sequence[NDArray[np.int64]], person: int) -> Vectors:
    """Return the centroid of a person: the mean direction of the blocks' speakers, each by how long it speaks."""
    total = np.zeros(blocks[0].centroids.shape[1])
    for block, numbers in zip(blocks, people, strict=True):
        own = numbers == person
        total += (block.directions[own] * block.weights[own, None]).sum(axis=0)
    length = np.linalg.norm(total)
    return total / length if length else total


class _Groups:
    """Speakers in groups; a group's voice is the weighted sum of its members'. A merged group stays as a dead row."""

    def __init__(self, directions: Vectors, weights: Vectors) -> None:
        self._sums = directions * weights[:, None]
        self._weights = weights.copy()
        self._alive = np.ones(len(weights), bool)
        self._members = [[number] for number in range(len(weights))]

    @property
    def count(self) -> int:
        return int(self._alive.sum())

    @property
    def members(self) -> list[list[int]]:
        return [members for members, lives in zip(self._members, self._alive, strict=True) if lives]

    def likeness(self) -> Vectors:
        """Cosines of the groups' voices."""
        units = Voices(self._sums, self._weights).directions
        found: Vectors = units @ units.T
        return found

    def costs(self) -> Vectors:
        """By how much the squared distances of speakers from their groups' voices grow, if two groups become one."""
        shares = self._weights[:, None] * self._weights / (self._weights[:, None] + self._weights)
        found: Vectors = shares * (1 - self.likeness())
        np.fill_diagonal(found, np.inf)
        return found

    def merge(self, scores: Vectors, least: float, apart: NDArray[np.bool_] | None = None) -> bool:
        """Merge the living pair with the highest score; False when there is none of at least `least`."""
        scores = np.where(self._alive[:, None] & self._alive, scores, -np.inf)
        first, second = (int(at) for at in np.unravel_index(int(scores.argmax()), scores.shape))
        if scores[first, second] == -np.inf or scores[first, second] < least:
            return False
        self._members[first] += self._members[second]
        self._sums[first] += self._sums[second]
        self._weights[first] += self._weights[second]
        self._alive[second] = False
        if apart is not None:
            apart[first] |= apart[second]
            apart[:, first] |= apart[:, second]
        return True
