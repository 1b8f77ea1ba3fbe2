"""Doubts about the number of speakers, as warnings for a person; it changes nothing.

Codes: `phantom_speaker`, somebody hardly speaks and may be a piece of somebody else; `single_speaker`, one speaker was
found where something speaks for more; `fewer_speakers`, fewer were found than were asked for.
"""

from collections.abc import Iterator, Sequence

from domain.media import ChannelRelation
from domain.sentences import asks, ends_sentence
from domain.span import to_seconds
from domain.speaker import SpeakerHints, SpeakerTurn
from domain.stage import Notice
from domain.statistics import SpeakerStatistics, statistics
from domain.transcript import Segment

_SHORT, _SHARE = 5_000, 0.01
"""Milliseconds, and the share of all talk, below which somebody hardly speaks."""
_HARDLY = 1_500
"""Milliseconds below which somebody hardly speaks even where nobody speaks much."""
_FEW_WORDS = 3
_QUESTIONS, _QUESTION_SHARE = 3, 0.25
"""So many questions, in number and of all sentences, and it is a conversation; few people ask themselves."""


def speaker_doubts(
    segments: Sequence[Segment], turns: Sequence[SpeakerTurn], hints: SpeakerHints, relation: ChannelRelation
) -> Iterator[Notice]:
    """Yield what speaks against the number of speakers that was found; nothing where there is no speech."""
    found = statistics(segments, turns)
    phantoms = [speaker for speaker in found if _phantom(speaker)] if len(found) > 1 else []
    if phantoms:
        named = ", ".join(f"{speaker.speaker} ({to_seconds(speaker.talk_time)} s)" for speaker in phantoms)
        yield Notice("phantom_speaker", f"Hardly any speech, perhaps no speakers of their own: {named}.")
    least, _ = hints.bounds(len(found))
    if len(found) == 1 and (why := _more_than_one(segments, least, hints, relation)):
        yield Notice("single_speaker", f"One speaker was found, {why}.")
    elif 1 < len(found) < least:
        yield Notice("fewer_speakers", f"{len(found)} speakers were found, though {least} were asked for.")


def _phantom(speaker: SpeakerStatistics) -> bool:
    hardly = speaker.talk_time < _HARDLY or (speaker.talk_time < _SHORT and speaker.share < _SHARE)
    return hardly and speaker.words <= _FEW_WORDS


def _more_than_one(
    segments: Sequence[Segment], least: int, hints: SpeakerHints, relation: ChannelRelation
) -> str | None:
    if least > 1:
        return f"though {least} were asked for"
    if hints.bounds(2)[1] == 1:
        return None
    if relation is ChannelRelation.DISTINCT:
        return "though the two channels hold different sound"
    sentences = [segment.text for segment in segments if ends_sentence(segment.text)]
    questions = sum(map(asks, sentences))
    if questions >= _QUESTIONS and questions >= _QUESTION_SHARE * len(sentences):
        return f"though {questions} of {len(sentences)} sentences are questions"
    return None
