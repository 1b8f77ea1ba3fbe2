"""What every taker of notes promises. Bindings give `metrics`."""

import threading
import time

from application.ports.metrics import Metrics
from domain.stage import Stage, StageName, StageStatus
from domain.task import TaskStatus
from tests.contracts.suite import Suite

STAGE = Stage(
    name=StageName.RECOGNITION, status=StageStatus.RAN, engine="whisper", model="small", device="cpu", seconds=3.0
)  # fmt: skip
ODD = ("", " ", 'a"b\\c\nd', "\x00", "größe", "x" * 10_000, "{}", "\ud800")


def note_everything(metrics: Metrics, word: str) -> None:
    metrics.request_began()
    metrics.answered(method=word, route=word, status=200, seconds=0.1)
    metrics.request_ended()
    metrics.turned_away(word)
    metrics.loop_late(0.01)
    metrics.stage_ran(STAGE, audio_ms=6000)
    metrics.task_ended(TaskStatus.DONE)
    metrics.model_loaded(word, word, 1.5)
    metrics.did_with_less(word, 2)
    metrics.engine_replaced(word, word)
    metrics.webhook_attempted(word)


class MetricsContract(Suite):
    """Taking notes."""

    def test_no_word_makes_it_fail(self, metrics: Metrics) -> None:
        for word in ODD:
            note_everything(metrics, word)

    def test_no_figure_makes_it_fail(self, metrics: Metrics) -> None:
        for seconds in (0.0, -1.0, 1e18, float("inf"), float("nan")):
            metrics.loop_late(seconds)
            metrics.answered(method="GET", route="/", status=0, seconds=seconds)
            metrics.model_loaded("e", "m", seconds)
        for audio_ms in (0, -5, 10**15):
            metrics.stage_ran(STAGE, audio_ms=audio_ms)

    def test_it_holds_up_nobody(self, metrics: Metrics) -> None:
        note_everything(metrics, "warm")
        began = time.process_time()
        for _ in range(20):
            note_everything(metrics, "again")
        assert time.process_time() - began < 0.1, "220 notes take some three milliseconds"

    def test_any_thread_may_call(self, metrics: Metrics) -> None:
        failed: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for turn in range(50):
                    note_everything(metrics, f"{number} {turn}")
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test must hear of it
                failed.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
