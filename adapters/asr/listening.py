"""Hearing one window with a loaded Whisper: groups of chunks, each in its language, decoded until they can be believed.

It must not load a model, nor know which one it is.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeVar

from adapters.asr.gates import Draft, Gate
from adapters.asr.ladder import Outcome, Rung, ladder, settle
from adapters.asr.packs import Pack
from adapters.asr.writing import Written, written
from application.ports.asr import RecognitionRequest
from domain.media import DecodedAudio
from domain.transcript import Word

if TYPE_CHECKING:
    from adapters.asr.whisper import Encoded, Whisper

T = TypeVar("T")

_SURE = 0.5
_GLANCES = 4
"""A language that half a minute of speech does not tell with more than this probability is voted for by four such."""


class Listener:
    """Hears the packs of one window; `lanes` runs `width` calls side by side, with up to `batch` packs each."""

    def __init__(
        self, model: "Whisper", audio: DecodedAudio, request: RecognitionRequest,
        *, beam_size: int, batch: int, lanes: Executor, width: int,
    ) -> None:  # fmt: skip
        self._model = model
        self._audio = audio
        self._request = request
        self._beam_size = beam_size
        self._batch = batch
        self._lanes = lanes
        self._width = width
        self._hints = model.hints(request.initial_prompt, request.hotwords)
        self._language = request.language if model.is_multilingual else "en"
        self._allowed = request.languages if model.is_multilingual else ()
        self._told: Counter[str] = Counter()
        self._likely: dict[str, float] = {}

    @property
    def language(self) -> str:
        """The language of most speech so far, and how likely it is."""
        return self._told.most_common(1)[0][0]

    @property
    def probability(self) -> float:
        """How likely that language is where it is likeliest; 1 where it was told and not heard."""
        return self._likely.get(self.language, 1.0)

    def hear(self, packs: Sequence[Pack]) -> Iterator[tuple[int, Written | None]]:
        """Give the number of each pack with what was heard in it, in order; None is a sign of life on the way there."""
        size = self._batch * self._width
        for at in range(0, len(packs), size):
            group = packs[at : at + size]
            encoded = self._encoded(group)
            yield at, None
            languages = self._languages(encoded, group)
            outcomes = self._settled(encoded, languages, group)
            yield at, None
            words = self._words(encoded, languages, outcomes, group)
            for number, pack in enumerate(group):
                self._told[languages[number]] += pack.duration
                found = written(pack, outcomes[number], words[number], languages[number], self._request.goal)
                yield at + number, found

    def _encoded(self, group: Sequence[Pack]) -> "Encoded":
        import numpy as np

        def encode(numbers: Sequence[int]) -> "Encoded":
            return self._model.encode([group[number].samples(self._audio) for number in numbers])

        return np.concatenate(self._side_by_side(encode, range(len(group))))

    def _languages(self, encoded: "Encoded", group: Sequence[Pack]) -> list[str]:
        """Tell each pack's language: among those allowed; or the same for all, decided by the first group."""
        if self._allowed:
            return [self._likeliest(ranked, self._allowed) for ranked in self._model.languages(encoded)]
        if self._language == "auto":
            votes: Counter[str] = Counter()
            for ranked in self._model.languages(encoded[:_GLANCES]):
                votes[found := self._likeliest(ranked, tuple(ranked))] += 1
                if ranked[found] > _SURE:
                    votes[found] = _GLANCES
                    break
            self._language = votes.most_common(1)[0][0]
        return [self._language] * len(group)

    def _likeliest(self, ranked: dict[str, float], among: Sequence[str]) -> str:
        """Choose a language and remember how likely it is among these."""
        total = sum(ranked.get(language, 0.0) for language in among) or 1.0
        best = max(among, key=lambda language: ranked.get(language, 0.0))
        self._likely[best] = max(self._likely.get(best, 0.0), ranked.get(best, 0.0) / total)
        return best

    def _settled(self, encoded: "Encoded", languages: Sequence[str], group: Sequence[Pack]) -> list[Outcome]:
        request = self._request

        def decode(numbers: Sequence[int], rung: Rung) -> list[Draft]:
            def generate(some: Sequence[int]) -> list[Draft]:
                return self._model.generate(
                    encoded[list(some)], [languages[number] for number in some], request.goal, rung,
                    beam_size=self._beam_size, hints=self._hints,
                )  # fmt: skip

            return [draft for drafts in self._side_by_side(generate, numbers, rung) for draft in drafts]

        gate = Gate(tuple(filter(None, (request.initial_prompt, ", ".join(request.hotwords)))))
        return settle(decode, [pack.duration for pack in group], gate, ladder(request.temperature))

    def _words(
        self, encoded: "Encoded", languages: Sequence[str], outcomes: Sequence[Outcome], group: Sequence[Pack]
    ) -> list[list[Word]]:
        words: list[list[Word]] = [[] for _ in group]
        kept = [number for number, outcome in enumerate(outcomes) if outcome.kept]
        for language in dict.fromkeys(languages[number] for number in kept):
            alike = [number for number in kept if languages[number] == language]

            def align(some: Sequence[int], language: str = language) -> list[list[Word]]:
                return self._model.words(
                    encoded[list(some)], [outcomes[number].draft for number in some], language,
                    self._request.goal, [group[number].duration for number in some],
                )  # fmt: skip

            found = [words for batch in self._side_by_side(align, alike) for words in batch]
            for number, aligned in zip(alike, found, strict=True):
                words[number] = aligned
        return words

    def _side_by_side(self, work: Callable[[Sequence[int]], T], numbers: Sequence[int], rung: Rung = Rung()) -> list[T]:  # noqa: B008 - frozen
        """Share the packs of these numbers out to the lanes, in batches; sampling has the model to itself."""
        share = max(1, min(self._batch, -(-len(numbers) // self._width)))
        batches = [numbers[at : at + share] for at in range(0, len(numbers), share)]
        return [work(batch) for batch in batches] if rung.temperature else list(self._lanes.map(work, batches))
