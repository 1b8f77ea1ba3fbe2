"""Recognition by PocketSphinx with the US English model that its package carries: modest, but always there.

It must not import its vendor before the first call, and reads no more of the recording than one utterance at a time.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapters.asr.pieces import pieces
from adapters.loading import loading
from adapters.pcm import samples
from application.ports.asr import EngineCapabilities, RecognitionRequest, TranscriptionEngine
from application.ports.system import ProgressSink
from domain.errors import EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound
from domain.media import DecodedAudio
from domain.span import Span, covered, restricted
from domain.timing import well_timed
from domain.transcript import Recognition, Segment, Word, join_words

if TYPE_CHECKING:
    from pocketsphinx import Decoder

_MODEL = "pocketsphinx-en-us"
_LANGUAGE = "en"
_LONGEST = 30_000
"""Milliseconds; the word lattice of an utterance, and the wait for its progress, grow with its length."""
_PAUSE = 600
"""Milliseconds between padded regions that may still be one sentence: joined, they are normalised over more speech and
the language model sees its words together. Clean wide-band speech: word error rate 0.23, and 0.27 with 400 ms."""
_FRAME = 10
"""Milliseconds; the model's frame rate is 100 Hz."""
_SETTINGS = {
    "samprate": 16_000,
    "frate": 100,
    # All three passes: the tree search finds words, the flat search rescores them, the lattice gives the best path and
    # the posterior of each word.
    "fwdtree": True,
    "fwdflat": True,
    "bestpath": True,
    # The vendor's beams. Beams 1e12 times wider found words neither better nor worse, at up to twice the cost.
    "beam": 1e-48,
    "pbeam": 1e-48,
    "wbeam": 7e-29,
    "maxhmmpf": 30_000,
    # A little less than the vendor's 6.5 in the first pass. On clean wide-band speech that is cut where it should not
    # be, word error rate 0.27 instead of 0.41; one word in eighty more on the telephone (0.86 either way, too many).
    "lw": 5.5,
    "fwdflatlw": 8.5,
    "bestpathlw": 9.5,
    "wip": 0.65,
    # An utterance of a few frames is no error: it has no words.
    "loglevel": "FATAL",
}
"""What the model's own feat.params sets (cmn=batch, remove_noise=yes, the filter bank) cannot be set here: it wins."""


class PocketSphinxEngine(TranscriptionEngine):
    """Recognises English, utterance by utterance; knows no prompts and writes no punctuation."""

    def __init__(self) -> None:
        self._decoder: Decoder | None = None

    def capabilities(self) -> EngineCapabilities:
        """English alone, with the one model."""
        return EngineCapabilities(engine="pocketsphinx", models=(_MODEL,), languages=frozenset({_LANGUAGE}))

    def load(self) -> None:
        """Load the model ahead of the first call."""
        self._loaded()

    def transcribe(
        self, audio: DecodedAudio, window: Span, request: RecognitionRequest, on_progress: ProgressSink
    ) -> Recognition:
        """Decode the window's regions, joined to utterances over short pauses; each becomes a segment."""
        if request.model not in {"", _MODEL}:
            raise ModelNotFound(f"pocketsphinx has no model '{request.model}'; there is: {_MODEL}")
        if request.language not in {"auto", _LANGUAGE}:
            raise InvalidOptions(f"pocketsphinx cannot transcribe '{request.language}'", code="unsupported_language")
        regions = restricted(request.speech, window.clamp(Span(0, audio.duration)))
        utterances = pieces(audio, regions, longest=_LONGEST, pause=_PAUSE)
        total, done = covered(utterances), 0
        segments = []
        for utterance in utterances:
            if words := self._recognised(audio, utterance):
                span = Span(words[0].span.start, max(word.span.end for word in words))
                segments.append(Segment(span=span, text=join_words(words), words=words, language=_LANGUAGE))
            done += utterance.duration
            on_progress(done / total)
        if not utterances:
            on_progress(1.0)
        return Recognition(segments=tuple(segments), language=_LANGUAGE)

    def _recognised(self, audio: DecodedAudio, utterance: Span) -> tuple[Word, ...]:
        decoder = self._loaded()
        signal = (samples(audio, utterance) * 32_768.0).astype("<i2").tobytes()
        if not signal:
            return ()
        try:
            # The noise tracker carries over from utterance to utterance; this alone makes calls independent.
            decoder.reinit_feat()
            decoder.start_utt()
            decoder.process_raw(signal, full_utt=True)
            decoder.end_utt()
            # An utterance of a few frames has no hypothesis, and asking for its words would raise.
            words = tuple(_words(decoder, utterance.start)) if decoder.hyp() is not None else ()
        except MemoryError as exc:
            self._decoder = None
            raise EngineFailed("pocketsphinx ran out of memory", code="out_of_memory") from exc
        except Exception as exc:
            self._decoder = None  # it may be in the middle of an utterance
            raise EngineFailed("pocketsphinx failed while decoding") from exc
        return well_timed(words, utterance)

    def _loaded(self) -> "Decoder":
        if self._decoder is None:
            try:
                from pocketsphinx import Config, Decoder

                with loading(_MODEL):
                    self._decoder = Decoder(Config(**_SETTINGS))
            except MemoryError as exc:
                raise EngineFailed("pocketsphinx ran out of memory", code="out_of_memory") from exc
            except Exception as exc:
                raise EngineUnavailable("pocketsphinx or its model cannot be loaded: install it again") from exc
        return self._decoder


def _words(decoder: "Decoder", start: int) -> Iterator[Word]:
    for found in decoder.seg():
        # Fillers are <s>, </s>, <sil>, [NOISE], ++UH++; `read(2)` is the second pronunciation of `read`.
        if found.word[0] not in "<[+":
            yield Word(
                span=Span(start + found.start_frame * _FRAME, start + (found.end_frame + 1) * _FRAME),
                text=found.word.partition("(")[0],
                confidence=round(min(1.0, max(0.0, found.prob)), 4),
            )
