"""What is written down of a model's weights: files, sizes, digests, where they are published, and the licence.

A digest or a revision that is not known is None: it is then learned from the hub once, and kept beside the weights.
"""

from dataclasses import dataclass
from typing import Literal

ANY = frozenset[str]()
"""The languages of models that hear voices, not words."""
ENGLISH = frozenset({"en"})


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file at `path` in a model's directory.

    It is published as `source` (empty: as `path`) in `repository` at `revision` (empty: the model's own); or it is
    `text`, which is written and never fetched.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    source: str = ""
    repository: str = ""
    revision: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """One model: `files` is all that loading reads. `gated` wants a token of an account that took the licence."""

    name: str
    kind: Literal["asr", "diarization"]
    engine: str
    repository: str
    revision: str | None
    files: tuple[WeightFile, ...]
    licence: str
    languages: frozenset[str] = ANY
    non_commercial: bool = False
    gated: bool = False

    @property
    def size(self) -> int | None:
        """All files' bytes, or None where one of them is not known."""
        sizes = [len(file.text.encode()) if file.text else file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def repository_of(self, file: WeightFile) -> str:
        """Return the repository that a file is fetched from."""
        return file.repository or self.repository

    def revision_of(self, file: WeightFile) -> str | None:
        """Return the commit that a file is fetched at; None is the branch, which a fetch resolves once."""
        return file.revision if file.repository else self.revision
