"""What subtitles must keep, and the validator that says where they do not; cutting them is done elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.lines import width
from domain.span import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class CueRules:
    """What cues must keep. Durations and gaps in ms; a full-width character counts as two; `max_cps` is per second."""

    max_line_chars: int = 42
    max_lines: int = 2
    min_duration: int = 1_000
    max_duration: int = 6_000
    max_cps: int = 20
    min_gap: int = 80
    split_on_speaker: bool = True


DEFAULT = CueRules()
"""What most players show well."""
NETFLIX = CueRules(min_duration=833, max_duration=7_000, min_gap=83)
"""Netflix's timed text style guide for English, adults; two frames of 24 a second between cues."""
BBC = CueRules(max_line_chars=37, max_duration=7_000, max_cps=17)
"""The BBC's subtitle guidelines: 37 columns, 160 to 180 words a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """One subtitle; `speaker` is None when unknown, or when the cue holds several."""

    span: Span
    lines: tuple[str, ...]
    speaker: str | None = None

    @property
    def columns(self) -> int:
        """The width of all lines together."""
        return sum(width(line) for line in self.lines)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a cue breaks, named as in `CueRules`; cues count from 0."""

    cue: int
    rule: str


def violations(cues: Sequence[Cue], rules: CueRules) -> tuple[Violation, ...]:
    """Return what the cues break: words too wide, speech too fast or too crowded cannot always be helped."""
    found = []
    for index, cue in enumerate(cues):
        broken = {
            "max_line_chars": any(width(line) > rules.max_line_chars for line in cue.lines),
            "max_lines": len(cue.lines) > rules.max_lines,
            "min_duration": cue.span.duration < rules.min_duration,
            "max_duration": cue.span.duration > rules.max_duration,
            "max_cps": cue.columns * 1000 > rules.max_cps * cue.span.duration,
            "min_gap": index + 1 < len(cues) and cues[index + 1].span.start - cue.span.end < rules.min_gap,
        }
        found += [Violation(index, rule) for rule, is_broken in broken.items() if is_broken]
    return tuple(found)
