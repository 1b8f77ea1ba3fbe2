"""A short conversation that the reference shows in every format; the renderers write it, so that it cannot be wrong."""

from domain.media import MediaFacts
from domain.span import Span
from domain.speaker import SpeakerTurn
from domain.stage import Stage, StageName, StageStatus
from domain.transcript import Quality, Segment, Suspect, Suspicion, Transcript, Word

_LINES = (("spk_1", 0, ("Hello", "everyone.")), ("spk_2", 1600, ("Thanks,", "let's", "start.")))
_WORD = 500
_QUALITY = Quality(average_log_probability=-0.21, no_speech_probability=0.01, compression_ratio=1.12)


def sample_transcript() -> Transcript:
    """Return two sentences by two speakers."""
    segments = tuple(_segment(speaker, start, words) for speaker, start, words in _LINES)
    end = segments[-1].span.end + 1_400
    return Transcript(
        task_id="0198f3a2-7c1e-7d55-9b1e-3f6a2d1c4b5e",
        revision=1,
        language="en",
        model="small",
        media=MediaFacts(container="mp3", codec="mp3", sample_rate=44_100, channels=2, declared=end, decoded=end),
        segments=segments,
        turns=tuple(SpeakerTurn(segment.span, segment.speaker or "") for segment in segments),
        stages=(Stage(name=StageName.DECODE, status=StageStatus.RAN, engine="av", seconds=0.04),),
        suspects=(Suspect(span=Span(4_100, 5_300), reason=Suspicion.BOILERPLATE, text="Thanks for watching!"),),
        uncovered_speech=(Span(4_100, 5_300),),
        processing_ms=1_340,
    )


def _segment(speaker: str, start: int, texts: tuple[str, ...]) -> Segment:
    starts = range(start, start + _WORD * len(texts), _WORD)
    words = tuple(
        Word(span=Span(begin, begin + _WORD), text=text, confidence=0.97, speaker=speaker)
        for begin, text in zip(starts, texts, strict=True)
    )
    span = Span(start, start + _WORD * len(texts))
    return Segment(span=span, text=" ".join(texts), words=words, speaker=speaker, language="en", quality=_QUALITY)
