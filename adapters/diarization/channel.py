"""Diarization of recordings with one party on each channel; it listens to nothing but where each channel has speech."""

from itertools import chain

from application.ports.diarization import DiarizationEngine, DiarizationRequest, DiarizerCapabilities
from application.ports.system import ProgressSink
from domain.media import DecodedAudio
from domain.span import Span, merged, restricted
from domain.speaker import Diarization, SpeakerTurn, channel_label, exclusive_turns

_BRIDGE = 500
"""ms of silence that one party's turn may hold."""

_ECHO = 150
"""ms by which an echo may stick out of the speech that it repeats."""

_SHORT = 400
"""ms up to which speech that lies wholly within the other party's is taken for its echo. Spans cannot tell a longer
echo from somebody interrupting, and a word lost is worse than a word heard twice."""


class ChannelDiarizer(DiarizationEngine):
    """Takes each channel of `channel_speech` for one speaker, labelled by `channel_label`. Turns may overlap.

    Counts in the hints are not honoured: the channels are the speakers.
    """

    def capabilities(self) -> DiarizerCapabilities:
        """Needs channels, and no weights."""
        return DiarizerCapabilities(
            engine="channel", model="channel", max_speakers=2, counts=False, needs_channels=True
        )

    def diarize(self, audio: DecodedAudio, request: DiarizationRequest, on_progress: ProgressSink) -> Diarization:
        """Give each channel's speech to its party, less what is an echo of the other's."""
        on_progress(0.0)
        whole = Span(0, audio.duration)
        parties = [restricted(merged(speech, _BRIDGE), whole) for speech in request.channel_speech]
        turns = tuple(
            sorted(
                SpeakerTurn(span, channel_label(number))
                for number, spans in enumerate(parties)
                for span in _without_echoes(spans, merged(chain(*parties[:number], *parties[number + 1 :])))
            )
        )
        on_progress(1.0)
        return Diarization(turns=turns, exclusive=exclusive_turns(turns))


def _without_echoes(spans: tuple[Span, ...], others: tuple[Span, ...]) -> list[Span]:
    """Drop short spans inside much longer ones of the other party; one sweep over both sorted lists."""
    kept: list[Span] = []
    at = 0
    for span in spans:
        while at < len(others) and others[at].end + _ECHO < span.end:
            at += 1
        around = at < len(others) and others[at].start <= span.start
        if not (span.duration <= _SHORT and around and others[at].duration > 2 * span.duration):
            kept.append(span)
    return kept
