"""SRT and WebVTT; the cues are cut by the domain, here they are only written down."""

import re
from collections.abc import Callable, Iterator
from typing import Literal

from application.rendering.plain import UNKNOWN, clock, has_speakers, one_line
from domain.cue_rules import DEFAULT, Cue, CueRules
from domain.cues import cues
from domain.transcript import Transcript

SpeakerStyle = Literal["always", "on_change", "never"]

_LOOKALIKES = str.maketrans({"<": "\u2039", ">": "\u203a", "{": "\u2774", "}": "\u2775"})
"""SRT has no escapes, and players take tags and braces for markup: characters that only look the same."""
_TIMESTAMP = re.compile(r"(\d:\d+:\d+)[.,](?=\d)")
"""Readers find cues by these alone, arrow or not; in a text their comma becomes a low quotation mark."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(transcript: Transcript, *, rules: CueRules = DEFAULT, speakers: SpeakerStyle = "on_change") -> str:
    """Write SubRip: cues from 1, comma before the milliseconds; `name: ` before a text as `speakers` says."""
    named = speakers != "never" and has_speakers(transcript)
    nobody = UNKNOWN if rules.split_on_speaker else ""
    shown: str | None = None
    blocks = []
    for number, (cue, lines) in enumerate(_visible(transcript, rules, _srt_text), start=1):
        speaker = _srt_text(cue.speaker or nobody)
        if named and speaker and (speakers == "always" or speaker != shown):
            lines[0] = f"{speaker}: {lines[0]}"
        shown = speaker
        times = f"{clock(cue.span.start, ',')} --> {clock(cue.span.end, ',')}"
        blocks.append("\n".join([str(number), times, *lines, ""]))
    return "\n".join(blocks)


def vtt(transcript: Transcript, *, rules: CueRules = DEFAULT, speakers: SpeakerStyle = "always") -> str:
    """Write WebVTT, with a voice span on every cue whose speaker is known, or on those that `speakers` says."""
    shown: str | None = None
    blocks = ["WEBVTT\n"]
    for cue, lines in _visible(transcript, rules, _vtt_text):
        voice = _vtt_text(cue.speaker or "")
        if voice and (speakers == "always" or (speakers == "on_change" and voice != shown)):
            lines[0] = f"<v {voice}>{lines[0]}"
        shown = voice
        times = f"{clock(cue.span.start)} --> {clock(cue.span.end)}"
        blocks.append("\n".join([times, *lines, ""]))
    return "\n".join(blocks)


def _visible(transcript: Transcript, rules: CueRules, escaped: Callable[[str], str]) -> Iterator[tuple[Cue, list[str]]]:
    for cue in cues(transcript.segments, rules):
        if lines := [line for line in map(escaped, cue.lines) if line]:
            yield cue, lines


def _srt_text(text: str) -> str:
    return _TIMESTAMP.sub("\\1\u201a", one_line(text).translate(_LOOKALIKES))


def _vtt_text(text: str) -> str:
    return one_line(text).translate(_ENTITIES)
