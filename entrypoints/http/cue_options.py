"""How subtitles are cut, as query parameters; the rules themselves are the domain's."""

from dataclasses import replace
from typing import Annotated, Literal

from litestar.params import Parameter

from application.rendering.captions import CAPTIONS, CaptionStyle
from application.rendering.subtitles import SpeakerStyle
from domain.cue_rules import BBC, DEFAULT, NETFLIX
from domain.span import to_ms
from entrypoints.http.errors import InvalidFields

Preset = Literal["default", "netflix", "bbc"]
_PRESETS = {"default": DEFAULT, "netflix": NETFLIX, "bbc": BBC}


def cue_options(
    *,
    preset: Annotated[
        Preset | None, Parameter(description="Rules of a style guide; what is given beside them counts more.")
    ] = None,
    max_line_chars: Annotated[
        int | None,
        Parameter(ge=10, le=200, description="Columns of a line of subtitles; a full-width character is two."),
    ] = None,
    max_lines: Annotated[int | None, Parameter(ge=1, le=10, description="Lines of a cue.")] = None,
    min_duration: Annotated[
        float | None, Parameter(ge=0, le=60, description="Seconds that a cue is shown, where there is room.")
    ] = None,
    max_duration: Annotated[float | None, Parameter(ge=0.1, le=60, description="Seconds of a cue at most.")] = None,
    max_cps: Annotated[int | None, Parameter(ge=1, le=100, description="Characters a second that can be read.")] = None,
    split_on_speaker: Annotated[bool | None, Parameter(description="Whether a cue ends where the speaker changes.")] = (
        None
    ),
    speaker_style: Annotated[SpeakerStyle | None, Parameter(description="Which cues say who speaks.")] = None,
) -> CaptionStyle | None:
    """Return the style that was asked for, None if none was.

    Raises:
        InvalidFields: they contradict each other.
    """
    given = {
        "max_line_chars": max_line_chars,
        "max_lines": max_lines,
        "min_duration": None if min_duration is None else to_ms(min_duration),
        "max_duration": None if max_duration is None else to_ms(max_duration),
        "max_cps": max_cps,
        "split_on_speaker": split_on_speaker,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    if preset is None and speaker_style is None and not chosen:
        return None
    rules = replace(_PRESETS[preset or "default"], **chosen)  # type: ignore[arg-type] # each by its own name
    if rules.min_duration > rules.max_duration:
        raise InvalidFields({"min_duration": "min_duration: it exceeds max_duration"})
    return CaptionStyle(rules, speaker_style)


def require_captions(name: str, style: CaptionStyle | None) -> None:
    """Refuse cue options where there are no cues.

    Raises:
        InvalidFields: the format is none of subtitles.
    """
    if style is not None and name not in CAPTIONS:
        raise InvalidFields({"format": f"format: cue options are for {' and '.join(CAPTIONS)}"})
