"""SIZING.md: the words are in `page.md`; here are its tables and figures, from measurements and from the simulation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.sizing import scenarios
from tests.bench.sizing.database import Load, Share
from tests.bench.sizing.installation import Ran
from tests.bench.sizing.picture import Axis, drawn
from tests.bench.sizing.simulation import Costs
from tests.bench.sizing.workload import mean_length

FACTORS = (0.02, 0.1, 0.4)
"""Real-time factors of the recogniser in the tables; the last is about what PocketSphinx was measured at."""
FLEETS = (10, 50, 100, 200, 500, 1_000)
_CONNECTIONS = {"default": 15, "tuned": 2}
"""What a worker may open: DATABASE_CONNECTIONS and DATABASE_OVERFLOW."""
_WAV = 0.032
"""MB for a second of 16 kHz mono."""
_EXACT = 10


@dataclass(slots=True)
class Measured:
    """All that was measured, and on what."""

    today: str
    machine: list[str]
    load: float
    ran: dict[str, Ran]
    database: Load


def written(measured: Measured) -> tuple[str, dict[str, str]]:
    """Return the page, and its pictures by their file's name."""
    middle, database = costs(measured, FACTORS[1]), measured.database
    longest, hours = _longest(measured), _longest(measured).audio_seconds / 3_600
    waits = list(scenarios.waiting(middle))
    together = {name: [(fleet, *_together(database.shares, name, fleet)) for fleet in FLEETS] for name in _CONNECTIONS}
    claims_needed = 1_000 / (middle.recognition * mean_length())
    kept = sum(held.proportional for name, held in longest.held.items() if name not in {"api", "asr"}) / 1_000
    page = (Path(__file__).parent / "page.md").read_text(encoding="utf-8").format(
        today=measured.today, machine="\n".join(f"- {line}" for line in measured.machine),
        load=f"{measured.load:.1f}", busiest=f"{scenarios.BUSIEST:.0%}", middle=FACTORS[1], worker_gb=f"{kept:.1f}",
        upload=f"{longest.upload_api_seconds / hours:.1f}", row_mb=f"{longest.row_bytes / 1e6 / hours:.1f}",
        transcript_mb=f"{longest.transcript_bytes / 1e6 / hours:.1f}", days=_days(measured),
        recordings="\n".join(_recording(name, ran) for name, ran in measured.ran.items()), waiting=_waiting(waits),
        bells=table(["", "mean"], [[name, f"{1_000 * wait:.0f} ms"] for name, wait in scenarios.without_bells(middle)]),
        slots=table(
            ["MAX_WORKERS", "short, half of them", "short, 1 in 20", "long, 1 in 20"],
            [[count, *map(seconds, delays)] for count, *delays in scenarios.slots(middle)],
        ),
        places=table(
            ["Workers", "ENGINE_CONCURRENCY", "short, 1 in 20", "long, 1 in 20"],
            [[workers, each, *map(seconds, delays)] for workers, each, *delays in scenarios.places(middle)],
        ),
        losses=table(
            ["A worker is lost", "short, 1 in 20", "long, 1 in 20", "work done twice"],
            [[name, seconds(a), seconds(b), f"{part:.1%}"] for name, a, b, part in scenarios.losses(middle)],
        ),
        scaling=table(
            ["Workers", "short, 1 in 20", "long, 1 in 20", "most at once", "worker-hours"],
            [[name, seconds(a), seconds(b), most, spent] for name, a, b, most, spent in scenarios.scaling(middle)],
        ),
        shares=table(
            ["Worker", "transactions", "PostgreSQL, ms", "Redis commands", "Redis, ms", "connections held"],
            [
                [name, each.transactions, each.database, each.commands, each.broker, each.connections]
                for name, each in database.shares.items()
            ],
        ),
        together=table(
            ["Settings", "Workers", "transactions a second", "cores of PostgreSQL", "Redis commands a second",
             "cores of Redis", "connections at most"],
            [[name, *row, _CONNECTIONS[name] * row[0]] for name, rows in together.items() for row in rows],
        ),
        claims=table(
            ["Claimers", "claims a second", "median, ms", "1 in 100, ms", "PostgreSQL, ms a claim"],
            [[each.claimers, each.rate, each.median, each.worst, each.server] for each in database.claims],
        ),
        backend=f"{database.backend:.1f}", backends=f"{2 * database.backend:.0f}", poll=f"{database.poll:.1f}",
        claims_a_core=f"{1_000 / database.claims[0].server:,.0f}", claims_needed=f"{claims_needed:,.0f}",
        bandwidth=f"{1_000 / middle.recognition * _WAV:,.0f}", minutes=f"{10_000 / claims_needed / 60:.0f}",
    )  # fmt: skip
    return page, {"sizing-wait.svg": _drawn_waits(waits), "sizing-database.svg": _drawn_cores(together)}


def costs(measured: Measured, recognition: float) -> Costs:
    """What was measured of everything but the recogniser."""
    ran = _longest(measured)
    spent = {name: held.seconds / ran.audio_seconds for name, held in ran.held.items()}
    return Costs(
        recognition=recognition, diarization=spent["diarization"], listening=spent["vad"],
        decoding=spent["decoder"] + spent["worker"], fixed=0.3,
    )  # fmt: skip


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table in Markdown; numbers are rounded to what they are worth."""
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|---|" + "--:|" * (len(names) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(map(_shown, row)) + " |" for row in rows)]) + "\n"


def seconds(value: float) -> str:
    """Return seconds as people say them."""
    for size, unit in ((3_600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} s"


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if value >= _EXACT else f"{value:.2g}"


def _longest(measured: Measured) -> Ran:
    return max(measured.ran.values(), key=lambda each: each.audio_seconds)


def _days(measured: Measured) -> str:
    rows = [
        [f"{hours:,} h", *(scenarios.needed(costs(measured, factor), hours) or "more than 1,500" for factor in FACTORS)]
        for hours in scenarios.DAYS
    ]
    return table(["Audio a day", *(f"RTF {factor}" for factor in FACTORS)], rows)


def _recording(name: str, ran: Ran) -> str:
    rows = [
        [what, held.resident, held.proportional, held.private, held.seconds / ran.audio_seconds]
        for what, held in sorted(ran.held.items())
        if what not in {"ended", "starting"}
    ]
    stored = (
        f"{ran.rows} rows and {ran.row_bytes / 1e3:,.0f} kB in PostgreSQL, {ran.transcript_bytes / 1e3:,.0f} kB of "
        f"transcript, {ran.work_bytes / 1e6:,.0f} MB decoded on the worker's disk."
    )
    return "\n".join(
        [
            f"Recogniser {name}; built-in diarizer; {seconds(ran.audio_seconds)} of speech:", "",
            table(["Process", "RSS, MB", "PSS, MB", "its own, MB", "processor s for a s of audio"], rows),
            stored, "",
        ]
    )  # fmt: skip


def _waiting(waits: list[list[float]]) -> str:
    count = len(scenarios.LOADS)
    rows = [
        [
            int(row[0]),
            *(f"{seconds(a)} / {seconds(b)}" for a, b in zip(row[1 : count + 1], row[count + 1 :], strict=True)),
        ]
        for row in waits
    ]
    return table(["Workers", *(f"load {load:.0%}" for load in scenarios.LOADS)], rows)


def _drawn_waits(waits: list[list[float]]) -> str:
    loads = [100 * load for load in scenarios.LOADS]
    return drawn(
        "By how much the slowest 1 in 20 short recordings takes longer",
        Axis(title="load of the recognisers, %", marks=loads),
        Axis(title="seconds", marks=(1, 10, 100, 1_000, 10_000), logarithmic=True),
        {
            f"{int(row[0]):,} worker{'s' * (row[0] > 1)}": [*zip(loads, row[1 : len(loads) + 1], strict=True)]
            for row in waits
        },
    )


def _drawn_cores(together: Mapping[str, Sequence[Sequence[float]]]) -> str:
    return drawn(
        "Cores that PostgreSQL spends on a fleet, half of it busy",
        Axis(title="workers", marks=FLEETS, logarithmic=True),
        Axis(title="cores", marks=(0.01, 0.1, 1, 10, 100), logarithmic=True),
        {name: [(row[0], row[2]) for row in rows] for name, rows in together.items()},
    )


def _together(shares: Mapping[str, Share], name: str, fleet: int) -> tuple[float, float, float, float]:
    """Transactions, cores of PostgreSQL, commands and cores of Redis, of a fleet of which half is busy."""
    idle, busy = shares[f"idle, {name}"], shares[f"8 tasks, {name}"]

    def both(first: float, second: float) -> float:
        return fleet * (first + second) / 2

    return (
        both(idle.transactions, busy.transactions), both(idle.database, busy.database) / 1_000,
        both(idle.commands, busy.commands), both(idle.broker, busy.broker) / 1_000,
    )  # fmt: skip
