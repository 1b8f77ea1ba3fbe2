"""Diarization from classical parts, with no weights: cepstra, Bayesian merging, mixtures under a Viterbi path.

It must not hold more than one block of the recording: of the others it keeps the speakers' statistics and the labels.
"""

from collections.abc import Iterable

from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span, covered, merged, restricted
from domain.speaker import Diarization, SpeakerTurn

_BLOCK = 600_000
"""ms of speech that are diarized at once: long enough to meet everybody, short enough for 400 MB."""

_BRIDGE = 500
"""ms of silence that one speaker's turn may hold, as in pyannote's post-processing."""


class AcousticDiarizer(DiarizationEngine):
    """Tells voices apart by their spectra alone. Deterministic; finds no overlapping speech.

    The recipe: 19 mel cepstra, pieces of one to four seconds merged by the Bayesian information criterion, then
    Gaussian mixtures re-estimated under a Viterbi path (Ajmera and Wooters, 2003). Beyond the plain recipe, many
    partitions are tried and the likeliest is kept, and each number of speakers is judged after re-estimation, when the
    clusters are pure. Long recordings go block by block; the blocks' speakers are linked by the same criterion.
    `turns` equal `exclusive`, for the path gives each instant to one speaker. `block` is ms of speech.
    """

    def __init__(self, *, max_speakers: int = 20, block: int = _BLOCK) -> None:
        self._max_speakers = max_speakers
        self._block = block

    def capabilities(self) -> DiarizerCapabilities:
        """All hints are honoured; nothing needs loading."""
        return DiarizerCapabilities(engine="acoustic", model="mfcc-bic-gmm", max_speakers=self._max_speakers)

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Find the speakers of each block, link them over the blocks, then settle every block with all of them."""
        from adapters.diarization.recordings import Block, diarized

        speech = restricted(merged(request.speech), Span(0, audio.duration))
        parts = tuple(Block(regions) for regions in blocks(speech, self._block))
        found = diarized(audio, parts, request.hints.bounds(self._max_speakers), on_progress)
        turns = _bridged(run for part, holders in zip(parts, found, strict=True) for run in part.runs(holders))
        on_progress(1.0)
        return Diarization(turns=turns, exclusive=turns)


def blocks(speech: tuple[Span, ...], size: int) -> tuple[tuple[Span, ...], ...]:
    """Deal the regions into blocks of about equal speech, at most `size` ms each; a region may be cut.

    >>> blocks((Span(0, 100), Span(200, 250)), 80)
    ((Span(start=0, end=75),), (Span(start=75, end=100), Span(start=200, end=250)))
    """
    total = covered(speech)
    share = -(-total // max(1, -(-total // size)))
    dealt: list[list[Span]] = []
    room = 0
    for region in speech:
        start = region.start
        while start < region.end:
            if room == 0:
                dealt.append([])
                room = share
            end = min(region.end, start + room)
            dealt[-1].append(Span(start, end))
            room -= end - start
            start = end
    return tuple(tuple(block) for block in dealt)


def _bridged(runs: Iterable[tuple[Span, int]]) -> tuple[SpeakerTurn, ...]:
    """Make turns of runs; a short silence between two runs of one speaker belongs to the turn."""
    turns: list[SpeakerTurn] = []
    for span, speaker in runs:
        label = f"spk_{speaker + 1}"
        if turns and turns[-1].speaker == label and span.start - turns[-1].span.end <= _BRIDGE:
            turns[-1] = SpeakerTurn(turns[-1].span.hull(span), label)
        else:
            turns.append(SpeakerTurn(span, label))
    return tuple(turns)
