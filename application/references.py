"""Reading references: STM, RTTM, SRT, WebVTT, plain text and this project's own JSON; files are opened elsewhere."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from domain.errors import InvalidOptions
from domain.scoring import Line, Reference
from domain.span import Span, to_ms
from domain.speaker import SpeakerTurn

_CUE = re.compile(r"(?:(\d+):)?(\d+):(\d+)[.,](\d{3})\s+-->\s+(?:(\d+):)?(\d+):(\d+)[.,](\d{3})")
_VOICE = re.compile(r"<v(?:\.[^\s>]+)?\s+([^>]+)>")
_TAG = re.compile(r"<[^>]*>")
_NAMED = re.compile(r"([^:\n]{1,40}): +(?=\S)")


class _Timed(msgspec.Struct):
    start: float
    end: float
    speaker: str | None = None
    text: str = ""


class _Result(msgspec.Struct):
    segments: list[_Timed]
    turns: list[_Timed] = []


@dataclass(slots=True)
class Sheet:
    """One file's rows, by the recording that they name; "" where they name none."""

    lines: dict[str, list[Line]] = field(default_factory=dict)
    turns: dict[str, list[SpeakerTurn]] = field(default_factory=dict)

    def about(self, recording: str) -> Reference:
        """Give what is said of one recording; a sheet about a single one need not know its name."""
        names = {*self.lines, *self.turns}
        name = recording if recording in names else next(iter(names)) if len(names) == 1 else ""
        return Reference(lines=tuple(self.lines.get(name, ())), turns=tuple(sorted(self.turns.get(name, ()))))

    def names(self, recording: str) -> bool:
        """Whether it has rows that name this recording."""
        return recording in self.lines or recording in self.turns


def read(text: str, kind: str) -> Sheet:
    """Read a file of one of `KINDS`.

    Raises:
        InvalidOptions: it is not what its name says.
    """
    try:
        return KINDS[kind](text)
    except (KeyError, ValueError, IndexError, msgspec.MsgspecError) as exc:
        raise InvalidOptions(f"this is no readable {kind.upper()}") from exc


def merge(references: Iterable[Reference]) -> Reference:
    """Take the lines of the first that has some and the turns likewise; without any, lines with speakers are turns."""
    known = list(references)
    lines = next((one.lines for one in known if one.lines), ())
    turns = next((one.turns for one in known if one.turns), ())
    if not turns and all(line.span and line.speaker for line in lines):
        turns = tuple(sorted(SpeakerTurn(line.span, line.speaker) for line in lines if line.span and line.speaker))
    return Reference(lines=lines, turns=turns)


def _stm(text: str) -> Sheet:
    sheet = Sheet()
    for row in _rows(text):
        name, _, speaker, start, end, *rest = row.split(maxsplit=5)
        said = re.sub(r"^<[^>]*>\s*", "", rest[0] if rest else "")
        if said.lower() == "ignore_time_segment_in_scoring" or speaker == "inter_segment_gap":
            continue
        sheet.lines.setdefault(name, []).append(Line(text=said, span=_span(start, end), speaker=speaker))
    return sheet


def _rttm(text: str) -> Sheet:
    sheet = Sheet()
    for row in _rows(text):
        kind, name, _, start, length, _, _, speaker, *_ = row.split()
        if kind == "SPEAKER":
            span = _span(start, str(float(start) + float(length)))
            sheet.turns.setdefault(name, []).append(SpeakerTurn(span, speaker))
    return sheet


def _txt(text: str) -> Sheet:
    return Sheet(lines={"": [Line(text=text)]})


def _cues(text: str) -> Sheet:
    lines: list[Line] = []
    speaker: str | None = None
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\ufeff", "")):
        found = _CUE.search(block)
        if not found:
            continue
        said = block[found.end() :].partition("\n")[2].strip()
        named = _VOICE.match(said) or _NAMED.match(said)
        # SRT has no speakers; where the first cue begins like `name: `, a name holds until the next.
        if named and (said.startswith("<v") or not lines or speaker):
            speaker, said = html.unescape(named[1]).strip(), said[named.end() :]
        start, end = (_clock(found.groups()[at : at + 4]) for at in (0, 4))
        lines.append(Line(text=html.unescape(_TAG.sub("", said)), span=Span(start, max(start, end)), speaker=speaker))
    return Sheet(lines={"": lines})


def _json(text: str) -> Sheet:
    result = msgspec.json.decode(text, type=_Result)
    lines = [Line(text=one.text, span=_span(one.start, one.end), speaker=one.speaker) for one in result.segments]
    turns = [SpeakerTurn(_span(one.start, one.end), one.speaker) for one in result.turns if one.speaker]
    return Sheet(lines={"": lines}, turns={"": turns} if turns else {})


def _rows(text: str) -> list[str]:
    return [row for row in text.splitlines() if row.strip() and not row.startswith(";;")]


def _span(start: str | float, end: str | float) -> Span:
    return Span(to_ms(float(start)), max(to_ms(float(start)), to_ms(float(end))))


def _clock(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths


KINDS: Mapping[str, Callable[[str], Sheet]] = {
    "stm": _stm,
    "rttm": _rttm,
    "vtt": _cues,
    "srt": _cues,
    "json": _json,
    "txt": _txt,
}
"""Readers by file name extension, the most telling first."""
