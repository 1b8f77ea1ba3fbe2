"""Subtitles by rules of the caller's choice, beside the registered formats, which keep the usual ones."""

from dataclasses import dataclass
from typing import Literal

from application.rendering.subtitles import SpeakerStyle, srt, vtt
from domain.cue_rules import DEFAULT, CueRules
from domain.transcript import Transcript

CaptionFormat = Literal["srt", "vtt"]
CAPTIONS: tuple[CaptionFormat, ...] = ("srt", "vtt")


@dataclass(frozen=True, slots=True)
class CaptionStyle:
    """What cues must keep, and when they say who speaks."""

    rules: CueRules = DEFAULT
    speakers: SpeakerStyle | None = None

    def render(self, transcript: Transcript, name: CaptionFormat) -> bytes:
        """Write the transcript as UTF-8; without a style of its own SRT names speakers on change, WebVTT always."""
        if name == "srt":
            text = srt(transcript, rules=self.rules, speakers=self.speakers or "on_change")
        else:
            text = vtt(transcript, rules=self.rules, speakers=self.speakers or "always")
        return text.encode("utf-8", "replace")
