"""Tells which speakers of a long recording's blocks are one person, by their centroids.

It must not know what the centroids are made of: it compares directions, and nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

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

    Two speakers of one block are two people. The likest are merged first, as long as they are alike; the people become
    at most `most`, as long as no block has more speakers than that, and at least `least`, if the blocks have as many.
    People are numbered as they come.
    """
    if not any(len(block.weights) for block in blocks):
        return [np.empty(0, np.int64) for _ in blocks]
    owner = np.concatenate([np.full(len(block.weights), number) for number, block in enumerate(blocks)])
    directions = np.concatenate([block.directions for block in blocks])
    weighted = directions * np.concatenate([block.weights for block in blocks])[:, None]
    members = _merged(weighted, owner, least, most)
    if len(members) > most:
        members = _crowded(weighted, owner, members, most)
    people = np.empty(len(owner), np.int64)
    for number, group in enumerate(sorted(members, key=min)):
        people[group] = number
    return [people[owner == number] for number in range(len(blocks))]


def pooled(blocks: Sequence[Voices], people: Sequence[NDArray[np.int64]], person: int) -> Vectors:
    """Return the centroid of a person: the mean direction of the blocks' speakers, each by how long it speaks."""
    total = np.zeros(blocks[0].centroids.shape[1])
    for block, numbers in zip(blocks, people, strict=True):
        own = numbers == person
        total += (block.directions[own] * block.weights[own, None]).sum(axis=0)
    length = np.linalg.norm(total)
    return total / length if length else total


def _merged(weighted: Vectors, owner: NDArray[np.int64], least: int, most: int) -> list[list[int]]:
    """Merge the likest two groups again and again; the similarity of groups is that of their weighted sums."""
    members = [[number] for number in range(len(owner))]
    sums = weighted.copy()
    apart = owner[:, None] == owner[None, :]  # also each from itself
    alive = np.ones(len(owner), bool)
    while alive.sum() > least:
        unit = Voices(sums, alive).directions
        likeness = np.where(apart | ~alive[:, None] | ~alive[None, :], -np.inf, unit @ unit.T)
        first, second = np.unravel_index(int(likeness.argmax()), likeness.shape)
        if likeness[first, second] == -np.inf or (likeness[first, second] < ALIKE and alive.sum() <= most):
            break
        members[first] += members[second]
        sums[first] += sums[second]
        apart[first] |= apart[second]
        apart[:, first] |= apart[:, second]
        alive[second] = False
    return [group for group, lives in zip(members, alive, strict=True) if lives]


def _crowded(weighted: Vectors, owner: NDArray[np.int64], members: list[list[int]], most: int) -> list[list[int]]:
    """Keep the `most` groups that speak longest, and give every block's speakers to them, each to another one."""
    kept = sorted(members, key=lambda group: -np.linalg.norm(weighted[group], axis=1).sum())[:most]
    centres = Voices(np.stack([weighted[group].sum(axis=0) for group in kept]), np.ones(most)).directions
    groups: list[list[int]] = [[] for _ in kept]
    for speaker, group in _placed(weighted, owner, centres):
        groups[group].append(speaker)
    return [group for group in groups if group]


def _placed(weighted: Vectors, owner: NDArray[np.int64], centres: Vectors) -> Iterator[tuple[int, int]]:
    units = Voices(weighted, np.ones(len(owner))).directions
    for block in np.unique(owner):
        speakers = np.flatnonzero(owner == block)
        likeness = units[speakers] @ centres.T
        rows, columns = linear_sum_assignment(likeness, maximize=True)
        placed = dict(zip(rows.tolist(), columns.tolist(), strict=True))
        for row, speaker in enumerate(speakers.tolist()):
            yield speaker, placed.get(row, int(likeness[row].argmax()))  # more speakers than places: to the likest
