"""Whether a decoded text can be believed; it decodes nothing and knows no vendor."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from adapters.asr.boilerplate import CREDITS, PARTING
from domain.transcript import Suspicion

_SILENT, _UNLIKELY = 0.6, -1.0
"""Whisper's own rules for silence and for a text that is not good enough (Radford et al. 2022, section 4.5)."""
_GLIMPSE, _NOBODY = 2_000, 0.85
"""Milliseconds in which noise can pass for speech with a detector, and the no-speech probability that outweighs it: to
a burst of noise Whisper writes a sentence that it believes in, and yet knows that nobody spoke."""
_REPETITIVE = 2.4
"""Compression ratio; Whisper's own."""
_LOOPS = ((8, 1), (5, 2), (4, 8), (3, 24))
"""How often in a row phrases of up to so many words may not be said: people say "no" seven times, a chorus thrice."""
_FASTEST, _FASTEST_UNSPACED = 25, 12
"""Letters a second of speech, the detector's padding included: fast speakers say 20, in Chinese and Japanese, where a
character is a syllable, 7. A burst of noise lasts long enough for a detector, but not for a sentence."""
_DOUBTFUL, _MURMUR = -0.5, 0.2
"""Average log probability below which, or no-speech probability above which, a parting phrase is not believed."""
_ECHO_RUN = 3
_ECHO_SHARE = 0.5
_ALIKE = 0.5
"""How much of an echo's letters a decoding without the prompt must find again, to prove that they were said."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # noqa: RUF001 - the apostrophe that printers use
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One decoding of a chunk, before anybody believes it; `tokens` are those of the text alone."""

    tokens: tuple[int, ...]
    text: str
    average_log_probability: float
    no_speech_probability: float

    @property
    def compression_ratio(self) -> float:
        """Bytes of the text for one byte of it compressed; 1.8 for speech, more for loops."""
        written = self.text.encode()
        return len(written) / len(zlib.compress(written))


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges drafts; `hints` are the prompt and the hotwords that they were decoded with."""

    hints: Sequence[str] = ()

    def verdict(self, draft: Draft, speech: int) -> Suspicion | None:
        """Say what is wrong with a draft of so many ms of speech, or None: it stands. An echo is another question."""
        words = spoken(draft.text)
        if not words:
            return None
        if _is_silence(draft, speech):
            return Suspicion.DROPPED
        if draft.compression_ratio > _REPETITIVE or loop(words):
            return Suspicion.REPETITION
        if _is_too_fast(draft.text, speech):
            return Suspicion.TOO_FAST
        if _is_boilerplate(draft, words):
            return Suspicion.BOILERPLATE
        return Suspicion.LOW_PROBABILITY if draft.average_log_probability < _UNLIKELY else None

    def echoes(self, text: str) -> bool:
        """Whether the text may be the prompt's: all of it stands there in a row, or half of it in runs of three."""
        words = spoken(text)
        if not words:
            return False
        return any(_copied(words, spoken(hint)) for hint in self.hints)


def supported(echo: str, bare: str) -> bool:
    """Whether a decoding without the prompt, `bare`, heard what the echo says; spelling may differ, as prompts intend.

    >>> supported("Colloquy server", "colloquial server"), supported("Colloquy server", "thanks")
    (True, False)
    """
    echo, bare = ("".join(spoken(text)) for text in (echo, bare))
    matching = sum(block.size for block in SequenceMatcher(None, echo, bare, autojunk=False).get_matching_blocks())
    return matching >= _ALIKE * max(len(echo), 1)


def spoken(text: str) -> list[str]:
    """Return the words without case and punctuation; of writing without spaces each character.

    >>> spoken("Right, so… 你好!")
    ['right', 'so', '你', '好']
    """
    return [part for word in _WORD.findall(text.casefold()) for part in (word if _UNSPACED.search(word) else (word,))]


def loop(words: Sequence[str]) -> tuple[int, int] | None:
    """Find the first phrase that is said too often in a row: where it begins and how many words it has.

    >>> loop("and so on and so on and so on and so on and then".split())
    (0, 3)
    """
    for at in range(len(words)):
        for unit in range(1, (len(words) - at) // _LOOPS[-1][0] + 1):
            often = next((times for times, longest in _LOOPS if unit <= longest), None)
            if often is None:
                break
            phrase = words[at : at + unit]
            if all(words[at + unit * n : at + unit * (n + 1)] == phrase for n in range(1, often)):
                return at, unit
    return None


def _is_silence(draft: Draft, speech: int) -> bool:
    if speech < _GLIMPSE and draft.no_speech_probability > _NOBODY:
        return True
    return draft.no_speech_probability > _SILENT and draft.average_log_probability < _UNLIKELY


def _is_too_fast(text: str, speech: int) -> bool:
    letters = sum(map(str.isalnum, text))
    fastest = _FASTEST_UNSPACED if len(_UNSPACED.findall(text)) * 2 > letters else _FASTEST
    return letters > fastest * speech / 1000


def _is_boilerplate(draft: Draft, words: Sequence[str]) -> bool:
    text = " ".join(words)
    if any(credit in text for credit in CREDITS):
        return True
    weak = draft.average_log_probability < _DOUBTFUL or draft.no_speech_probability > _MURMUR
    return weak and text in PARTING


def _copied(words: Sequence[str], hint: Sequence[str]) -> bool:
    if not hint:
        return False
    blocks = SequenceMatcher(None, words, hint, autojunk=False).get_matching_blocks()
    runs = [block.size for block in blocks if block.size >= _ECHO_RUN or block.size == len(words)]
    return sum(runs) >= _ECHO_SHARE * len(words)
