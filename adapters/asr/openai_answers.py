"""Making segments and words out of what OpenAI-compatible servers answer, which differs a great deal.

It must not trust a number or a word of it: times end up inside the piece that was sent, and in order.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import msgspec

from adapters.asr.openai_wire import Reply
from domain.errors import EngineFailed
from domain.language_names import CODES
from domain.span import Span, to_ms
from domain.timing import spelled, well_timed
from domain.transcript import Quality, Segment, Timing, Word

_CODE = re.compile(r"([a-z]{2,3})([-_][a-z0-9]+)*")
_LONGEST_TEXT = 4_000
"""Characters whose times are looked for; nobody says a quarter of that in half a minute."""


class _Word(msgspec.Struct):
    word: str = ""
    start: float | None = None
    end: float | None = None
    probability: float | None = None


class _Segment(msgspec.Struct):
    text: str = ""
    start: float | None = None
    end: float | None = None
    words: list[_Word] | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class _Letter:
    text: str
    span: Span
    probability: float | None


class _Language(msgspec.Struct):
    code: str = ""


class _Answer(msgspec.Struct):
    text: str = ""
    language: str | None = None
    languages: list[_Language] | None = None
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one piece holds; `language` is None where the server does not say."""

    segments: tuple[Segment, ...]
    language: str | None


def read_reply(reply: Reply, piece: Span, *, asked_for_text: bool) -> Heard:
    """Read as much of an answer as is there: `verbose_json`, `json` or bare text.

    Raises:
        EngineFailed: `remote_garbled`, it is something else.
    """
    start, kind = reply.body.lstrip()[:1], reply.headers.get("content-type", "")
    if start not in {b"{", b"<"} and (kind.startswith("text/plain") or (asked_for_text and "json" not in kind)):
        return Heard(_segments(_Answer(text=reply.body.decode("utf-8", "replace")), piece), None)
    try:
        answer = msgspec.json.decode(reply.body, type=_Answer, strict=False)  # some write numbers as text
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise EngineFailed("the remote server's answer cannot be understood", code="remote_garbled") from exc
    said = answer.language or next((language.code for language in answer.languages or ()), None)
    return Heard(_segments(answer, piece), code_of(said))


def code_of(language: str | None) -> str | None:
    """Give the code of a language that is named by its English name or a code.

    >>> code_of("English"), code_of("pt-BR"), code_of("?")
    ('en', 'pt', None)
    """
    plain = (language or "").strip().lower()
    if plain in CODES:
        return CODES[plain]
    found = _CODE.fullmatch(plain)
    return found[1] if found else None


def _segments(answer: _Answer, piece: Span) -> tuple[Segment, ...]:
    parts = [part for part in answer.segments or () if part.text.strip()]
    if not parts and answer.text.strip():
        parts = [_Segment(text=answer.text)]
    heard = [word for part in parts for word in part.words or ()] or answer.words or []
    tokens = [spelled(part.text, _within(part, piece)) for part in parts]
    if any(word.start is not None for word in heard):
        timed = well_timed(_matched([token for row in tokens for token in row], heard, piece), piece)
    else:
        timed = well_timed([token for row in tokens for token in row], piece)
    segments, taken = [], 0
    for part, row in zip(parts, tokens, strict=True):
        words = timed[taken : taken + len(row)]
        taken += len(row)
        if words:
            span = Span(words[0].span.start, max(word.span.end for word in words))
            segments.append(Segment(span=span, text=part.text.strip(), words=words, quality=_quality(part)))
    return tuple(segments)


def _within(part: _Segment, piece: Span) -> Span:
    """Where a segment lies in the recording; all of the piece when its times make no sense."""
    start = _instant(0.0 if part.start is None else part.start, piece)
    end = _instant(part.end, piece) if part.end is not None else piece.end
    return Span(start, end) if start < end else piece


def _instant(seconds: float, piece: Span) -> int:
    return piece.start + to_ms(min(max(seconds, 0.0), piece.duration / 1000))


def _matched(tokens: Sequence[Word], heard: Sequence[_Word], piece: Span) -> list[Word]:
    """Give the text's words the times of the words that were heard, letter by letter.

    Servers leave the punctuation out of their words, or cut them elsewhere than at spaces. A word of which no letter
    was heard has an empty span.
    """
    spoken = [letter for word in heard for letter in _spoken(word, piece)][:_LONGEST_TEXT]
    written = [(letter, number) for number, token in enumerate(tokens) for letter in _letters(token.text)]
    found: dict[int, list[_Letter]] = {}
    sides = [one.text for one in spoken], [text for text, _ in written[:_LONGEST_TEXT]]
    alike = SequenceMatcher(None, *sides, autojunk=False)
    for block in alike.get_matching_blocks():
        for step in range(block.size):
            found.setdefault(written[block.b + step][1], []).append(spoken[block.a + step])
    return [_timed(token, found[number]) if number in found else replace(token, span=_nowhere(piece))
            for number, token in enumerate(tokens)]  # fmt: skip


def _timed(token: Word, letters: Sequence[_Letter]) -> Word:
    sure = [letter.probability for letter in letters if letter.probability is not None]
    return replace(
        token,
        span=Span(letters[0].span.start, max(letter.span.end for letter in letters)),
        confidence=round(min(1.0, max(0.0, min(sure))), 4) if sure else None,
        timing=Timing.ALIGNED,
    )


def _spoken(word: _Word, piece: Span) -> Iterator[_Letter]:
    """Share a word's time among its letters; one without times has none to share."""
    letters = _letters(word.word)
    if word.start is None or word.end is None:
        return
    start, length = _instant(word.start, piece), max(0, _instant(word.end, piece) - _instant(word.start, piece))
    for number, text in enumerate(letters):
        span = Span(start + length * number // len(letters), start + length * (number + 1) // len(letters))
        yield _Letter(text, span, word.probability)


def _letters(text: str) -> list[str]:
    return [letter for letter in text.casefold() if letter.isalnum()]


def _nowhere(piece: Span) -> Span:
    return Span(piece.start, piece.start)


def _quality(part: _Segment) -> Quality | None:
    measures = (part.avg_logprob, part.no_speech_prob, part.compression_ratio)
    if all(measure is None for measure in measures):
        return None
    return Quality(
        average_log_probability=measures[0], no_speech_probability=measures[1], compression_ratio=measures[2]
    )
