"""What is believed of a decoding, with a scripted decoder: loops and boilerplate caught, clean speech let through."""

import importlib
import inspect
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType

import pytest

from adapters.asr.boilerplate import CREDITS, PARTING
from adapters.asr.gates import Draft, Gate, loop, spoken
from adapters.asr.ladder import LADDER, Rung, ladder, settle
from adapters.asr.packs import Pack
from adapters.asr.writing import written
from domain.options import Goal
from domain.span import Span
from domain.transcript import Suspicion, Word

CAUGHT, FALSELY_REJECTED = 0.95, 0.005


MODULES = """
argparse asyncio base64 bisect calendar cmd codecs collections configparser contextlib copy csv datetime decimal
difflib doctest email enum fractions ftplib functools getpass gettext hashlib heapq html http imaplib inspect io
ipaddress json locale logging mailbox math multiprocessing numbers optparse os pathlib pdb pickle platform plistlib
poplib pprint profile queue random re sched secrets selectors shelve shlex shutil signal smtplib socket sqlite3 ssl
stat statistics string subprocess tarfile tempfile textwrap threading timeit tokenize traceback types unittest urllib
uuid warnings wave weakref webbrowser zipfile
"""


def draft(text: str, log_probability: float = -0.3, no_speech: float = 0.05) -> Draft:
    return Draft(
        tokens=(1,), text=text, average_log_probability=log_probability, no_speech_probability=no_speech
    )  # fmt: skip


def length_of(text: str) -> int:
    """Milliseconds that a brisk speaker needs, 200 words a minute."""
    return 300 * len(text.split())


def prose() -> list[str]:
    """Real English in pieces of 5 to 75 words: the sentences that the standard library says of itself, shuffled."""
    texts = []
    for module in map(importlib.import_module, MODULES.split()):
        kinds = [value for value in vars(module).values() if isinstance(value, (FunctionType, type))]
        methods = [value for kind in kinds for value in vars(kind).values() if isinstance(value, FunctionType)]
        texts += [inspect.getdoc(value) or "" for value in (module, *kinds, *methods)]
    lines = {" ".join(part.split()) for text in texts for part in text.split("\n\n")}
    sentences = {sentence for line in lines for sentence in re.findall(r"[A-Z][\w ,;:'’-]+[.?!](?= |$)", line)}  # noqa: RUF001
    shuffled = sorted(sentence for sentence in sentences if "_" not in sentence and len(sentence.split()) > 4)
    choose = random.Random(1)
    choose.shuffle(shuffled)
    words, pieces = " ".join(shuffled).split(), []
    while words:
        size = choose.randint(5, 75)
        pieces.append(" ".join(words[:size]))
        words = words[size:]
    return pieces


CLEAN = prose()
TRICKY = (
    "No, no, no, no, no. That is not what I said.",
    "One one two, one one two, extension five five five five.",
    "Yeah. Yeah. Yeah. Right. Yeah.",
    "Very very very very good, thank you very much.",
    "We will, we will rock you. We will, we will rock you.",
    "Thank you. Thank you for having me.",
    "Bye bye. Bye. Bye bye.",
    "It is what it is, and that is that.",
    "ha ha ha ha ha",
    "Our subtitles are made by the school.",
    "好的好的好的,谢谢。",
)


def planted_loops() -> list[str]:
    """Phrases of one to twelve words, over and over, some after a sentence that was really said."""
    choose = random.Random(2)
    loops = []
    for size in list(range(1, 13)) * 12:
        words = choose.choice([text for text in CLEAN if len(text.split()) > 40]).split()
        before = " ".join(words[12 : 12 + choose.choice((0, 8, 20))])
        loops.append(" ".join([before, *[" ".join(words[:size])] * max(4, 100 // size)]).strip())
    return loops


def planted_boilerplate() -> list[Draft]:
    choose = random.Random(3)
    weak = [draft(text.capitalize() + ".", choose.uniform(-0.95, -0.55), 0.1) for text in sorted(PARTING)]
    murmured = [draft(text.upper(), -0.3, choose.uniform(0.25, 0.6)) for text in sorted(PARTING)]
    return weak + murmured + [draft(f"So. {text.title()} ABC!", -0.1, 0.0) for text in CREDITS]


def test_clean_speech_passes() -> None:
    assert len(CLEAN) > 600
    rejected = [text for text in CLEAN if Gate().verdict(draft(text), length_of(text))]
    assert len(rejected) <= FALSELY_REJECTED * len(CLEAN), rejected


@pytest.mark.parametrize("text", TRICKY)
def test_what_people_do_say_twice_passes(text: str) -> None:
    assert Gate().verdict(draft(text), length_of(text) + 800) is None


def test_planted_loops_are_caught() -> None:
    loops = planted_loops()
    caught = [text for text in loops if Gate().verdict(draft(text), length_of(text)) is Suspicion.REPETITION]
    assert len(caught) >= CAUGHT * len(loops)


def test_planted_boilerplate_is_caught() -> None:
    drafts = planted_boilerplate()
    caught = [one for one in drafts if Gate().verdict(one, 4_000) is Suspicion.BOILERPLATE]
    assert len(caught) >= CAUGHT * len(drafts)


def test_a_parting_phrase_that_is_well_heard_is_believed() -> None:
    assert Gate().verdict(draft("Thank you for watching.", -0.1, 0.01), 1_500) is None


def test_the_list_is_written_as_words_are_compared() -> None:
    assert all(" ".join(spoken(text)) == text for text in {*CREDITS, *PARTING})


def test_a_text_that_no_mouth_could_say_in_the_time_is_caught() -> None:
    text = "And then we went to the station, because the train was late again."
    assert Gate().verdict(draft(text), 600) is Suspicion.TOO_FAST
    assert Gate().verdict(draft(text), 3_000) is None
    assert Gate().verdict(draft("然后我们去了车站,因为火车又晚点了。我们等了一个小时。"), 300) is Suspicion.TOO_FAST


def test_silence_and_unlikely_texts_are_told_apart() -> None:
    assert Gate().verdict(draft("Well.", -1.2, 0.7), 2_000) is Suspicion.DROPPED
    assert Gate().verdict(draft("Well.", -1.2, 0.1), 2_000) is Suspicion.LOW_PROBABILITY
    assert Gate().verdict(draft("", -3.0, 0.9), 2_000) is None


def test_loops_are_found_where_they_begin() -> None:
    assert loop(spoken("So we went and then and then, and then and then and then home.")) == (3, 2)
    assert loop(["a"] * 7) is None
    assert loop(["a"] * 8) == (0, 1)


# The ladder


@dataclass
class Scripted:
    """A decoder that says for each chunk what its script has for the rung, and remembers what it was asked."""

    script: Sequence[Callable[[Rung], Draft]]
    calls: list[tuple[tuple[int, ...], Rung]] = field(default_factory=list)

    def __call__(self, numbers: Sequence[int], rung: Rung) -> list[Draft]:
        self.calls.append((tuple(numbers), rung))
        return [self.script[number](rung) for number in numbers]


LOOP = draft("I think that we should, " * 20)


def always(one: Draft) -> Callable[[Rung], Draft]:
    return lambda _: one


def first_at(rung: Rung, one: Draft, before: Draft = LOOP) -> Callable[[Rung], Draft]:
    return lambda asked: one if asked == rung else before


def test_only_what_fails_is_decoded_again() -> None:
    clean = [always(draft(text)) for text in CLEAN[:200]]
    planted = {number: first_at(LADDER[1], draft("I think that we should.")) for number in range(0, 200, 20)}
    decoder = Scripted([planted.get(number, one) for number, one in enumerate(clean)])
    outcomes = settle(decoder, [length_of(text) + 1_500 for text in CLEAN[:200]], Gate())
    assert sum(len(numbers) for numbers, _ in decoder.calls[1:]) <= 0.05 * 200 + 1
    assert {number for numbers, _ in decoder.calls[1:] for number in numbers} == set(planted)
    assert [outcome.draft.text for outcome in outcomes if outcome.attempts > 1] == ["I think that we should."] * 10
    assert {outcome.doubt for outcome in outcomes} == {None}


def test_the_ladder_is_climbed_to_its_end_and_the_likeliest_kept() -> None:
    doubtful = {rung: draft(f"word {number}", -1.5 + number / 10) for number, rung in enumerate(LADDER)}
    decoder = Scripted([lambda rung: doubtful[rung]])
    (outcome,) = settle(decoder, [2_000], Gate())
    assert [rung for _, rung in decoder.calls] == list(LADDER)
    assert (outcome.draft.text, outcome.attempts) == ("word 3", len(LADDER))
    assert (outcome.doubt, outcome.kept) == (Suspicion.LOW_PROBABILITY, True)


def test_temperatures_rise_and_prompts_are_dropped_on_the_way_up() -> None:
    assert [rung.temperature for rung in LADDER] == sorted(rung.temperature for rung in LADDER)
    assert LADDER[0] == Rung()
    assert not any(rung.prompted for rung in LADDER[1:])
    assert ladder(0.6) == (Rung(temperature=0.6),)


def test_silence_is_not_decoded_again() -> None:
    decoder = Scripted([always(draft("Thanks.", -1.4, 0.8))])
    (outcome,) = settle(decoder, [2_000], Gate())
    assert (len(decoder.calls), outcome.doubt, outcome.kept) == (1, Suspicion.DROPPED, False)


def test_a_likely_text_is_better_than_a_likelier_loop() -> None:
    decoder = Scripted([first_at(LADDER[2], draft("perhaps", -1.3), draft(LOOP.text, -0.05))])
    (outcome,) = settle(decoder, [30_000], Gate())
    assert (outcome.draft.text, outcome.doubt) == ("perhaps", Suspicion.LOW_PROBABILITY)


@pytest.mark.parametrize("text", ["Subtitles by the Amara.org community", "然" * 200])
def test_what_nobody_said_is_dropped_and_named(text: str) -> None:
    outcome, *_ = settle(Scripted([always(draft(text))]), [900], Gate())
    pack = Pack((Span(1_000, 1_500), Span(60_000, 60_400)))
    found = written(pack, outcome, [], "en", Goal.TRANSCRIBE)
    if outcome.doubt is Suspicion.REPETITION:  # a loop keeps its first round
        assert len(found.segments[0].words) == 1
        return
    assert found.segments == ()
    assert [(doubt.span, doubt.text) for doubt in found.suspects] == [(pack.parts[0], text), (pack.parts[1], "")]


def test_a_loop_that_nothing_ends_is_cut_to_its_first_round() -> None:
    said = "So what now? " + "I think that we should, " * 20
    (outcome,) = settle(Scripted([always(draft(said))]), [30_000], Gate())
    words = [
        Word(span=Span(number * 250, number * 250 + 200), text=text) for number, text in enumerate(said.split())
    ]  # fmt: skip
    found = written(Pack((Span(5_000, 35_000),)), outcome, words, "en", Goal.TRANSCRIBE)
    assert [segment.text for segment in found.segments] == ["So what now? I think that we should,"]
    assert [(doubt.reason, doubt.text) for doubt in found.suspects] == [(Suspicion.REPETITION, said.strip())]
    (quality,) = {segment.quality for segment in found.segments}
    assert quality is not None
    assert quality.decode_attempts == len(LADDER)


# Prompts that come back

PROMPT = "The quarterly meeting of Colloquy GmbH, with Dr. Wüthrich and Ms. Okonkwo."


def prompted(echo: str, bare: str) -> Callable[[Rung], Draft]:
    return lambda rung: draft(echo if rung.prompted else bare)


@pytest.mark.parametrize("echo", [PROMPT, "with Dr. Wüthrich and Ms. Okonkwo", "Colloquy", "kubectl, istio, etcd"])
def test_a_prompt_that_the_audio_does_not_support_is_dropped(echo: str) -> None:
    gate = Gate((PROMPT, "kubectl, istio, etcd, Kafka"))
    heard, silent = settle(Scripted([prompted(echo, "Let us begin."), prompted(echo, "")]), [5_000, 5_000], gate)
    assert (heard.draft.text, heard.doubt, heard.kept) == ("Let us begin.", None, True)
    assert (silent.draft.text, silent.doubt, silent.kept) == (echo, Suspicion.PROMPT_ECHO, False)


@pytest.mark.parametrize(
    ("echo", "bare"),
    [("with Dr. Wüthrich and Ms. Okonkwo", "with doctor Wootrich and miss O'Conquo"), ("Colloquy", "colloquial")],
)
def test_a_prompt_that_is_really_said_keeps_its_spelling(echo: str, bare: str) -> None:
    decoder = Scripted([prompted(echo, bare)])
    (outcome,) = settle(decoder, [5_000], Gate((PROMPT,)))
    assert (outcome.draft.text, outcome.doubt, outcome.attempts) == (echo, None, 2)


def test_speech_that_only_shares_words_with_the_prompt_costs_nothing() -> None:
    decoder = Scripted([always(draft("I saw Dr. Wüthrich at the meeting yesterday and we talked about the budget."))])
    settle(decoder, [8_000], Gate((PROMPT,)))
    assert len(decoder.calls) == 1


def test_without_a_prompt_nothing_is_an_echo() -> None:
    assert not Gate().echoes("anything")
