"""O-11: log files are cut by day and by size, compressed, and gone after their time, also after a long downtime."""

import fcntl
import gzip
import os
import resource
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infrastructure.logs.files import LogFile
from infrastructure.logs.upkeep import SETTLED_SECONDS, Upkeep

DAY = 86_400.0
NOON = 1_800_000_000 // DAY * DAY + DAY / 2


class Time:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


def file(folder: Path, clock: Time, name: str = "api", largest: int = 1_000_000) -> LogFile:
    return LogFile(folder, name, largest=largest, now=clock)


def old(path: Path, days: float, size: int = 10) -> Path:
    path.write_bytes(b"x" * size)
    os.utime(path, (NOON - days * DAY,) * 2)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_o11_a_file_begins_anew_each_day(tmp_path: Path, clock: Time) -> None:
    log = file(tmp_path, clock)
    log.write("monday")
    clock.now += DAY / 2 - 1
    log.write("monday, late")
    clock.now += 2
    log.write("tuesday")
    clock.now += DAY
    log.look()  # nobody says anything on wednesday
    log.look()
    log.close()
    aside = [path.read_text() for path in sorted(tmp_path.glob("api.*Z.log"))]
    assert aside == ["monday\nmonday, late\n", "tuesday\n"]
    stamp = datetime.fromtimestamp(NOON + DAY / 2 + 1, UTC).strftime("%Y-%m-%dT%H-%M-%S")
    assert names(tmp_path)[0].startswith(f"api.{stamp}")
    assert not (tmp_path / "api.log").exists()


def test_o11_a_file_begins_anew_when_it_has_grown(tmp_path: Path, clock: Time) -> None:
    log = file(tmp_path, clock, largest=100)
    for number in range(10):
        clock.now += 1
        log.write(f"{number}" * 39)
    log.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("*.log")}
    assert (len(sizes), max(sizes.values()), sum(sizes.values())) == (5, 80, 400)


def test_o11_what_a_process_before_wrote_goes_on_until_its_day_ends(tmp_path: Path, clock: Time) -> None:
    old(tmp_path / "api.log", days=0.1, size=5)
    log = file(tmp_path, clock)
    log.write("more")
    log.close()
    assert (tmp_path / "api.log").read_bytes() == b"xxxxxmore\n"
    old(tmp_path / "api.log", days=2)
    log = file(tmp_path, clock)
    log.write("today")
    log.close()
    assert (tmp_path / "api.log").read_text() == "today\n"


def test_o11_each_process_has_a_file_of_its_own(tmp_path: Path, clock: Time) -> None:
    logs = [file(tmp_path, clock, "worker") for _ in range(3)]
    assert [log.process for log in logs] == ["worker", "worker-2", "worker-3"]
    logs[1].close()
    again = file(tmp_path, clock, "worker")
    assert again.process == "worker-2"
    for log in (*logs, again):
        log.write("line")
        log.close()
    assert len(names(tmp_path)) == 3


def test_o11_thirty_days_are_kept_also_after_downtime(tmp_path: Path, clock: Time) -> None:
    for days in range(0, 90, 10):
        old(tmp_path / f"api.2027-01-{days + 1:02}T00-00-00.000000Z.log.gz", days=days + 0.5)
    old(tmp_path / "worker-7.log", days=31)  # it was killed, and never came back
    (tmp_path / ".worker-7.lock").touch()
    old(tmp_path / "api.2027-01-01T00-00-00.000000Z.log.gz.new", days=0)
    others = [
        old(tmp_path / name, days=400) for name in ("notes.txt", "syslog.log", "nginx.2026Z.log.gz", "x.log.gz.new")
    ]
    quiet = file(tmp_path, clock, "sweeper")
    quiet.write("it has said nothing since")
    os.utime(tmp_path / "sweeper.log", (NOON - 40 * DAY,) * 2)
    Upkeep(tmp_path, keep=30 * DAY, most=1 << 40, now=clock)()
    left = [name for name in names(tmp_path) if name.startswith("api")]
    assert left == [f"api.2027-01-{day:02}T00-00-00.000000Z.log.gz" for day in (1, 11, 21)]
    assert not (tmp_path / "worker-7.log").exists()
    assert (tmp_path / "sweeper.log").exists()
    assert all(path.exists() for path in others)
    Upkeep(tmp_path, keep=None, most=1 << 40, now=clock)()
    assert [name for name in names(tmp_path) if name.startswith("api")] == left
    quiet.close()


def test_o11_beyond_the_cap_the_oldest_go(tmp_path: Path, clock: Time) -> None:
    for number in range(8):
        old(tmp_path / f"worker-{number}.2027-01-01T00-00-00.{number:06}Z.log.gz", days=number + 1, size=1_000)
    somebodys = old(tmp_path / "syslog.log", days=9, size=1_000_000)
    current = file(tmp_path, clock)
    current.write("x" * 1_999)
    Upkeep(tmp_path, keep=30 * DAY, most=5_000, now=clock)()
    kept = [name.partition(".")[0] for name in names(tmp_path)]
    assert kept == ["api", "syslog", "worker-0", "worker-1", "worker-2"]
    assert somebodys.exists()
    current.close()


def test_o11_what_was_set_aside_is_compressed_once_it_has_been_read(tmp_path: Path, clock: Time) -> None:
    log = file(tmp_path, clock, largest=20)
    log.write("the first line")
    log.write("the second")
    upkeep = Upkeep(tmp_path, keep=30 * DAY, most=1 << 40, now=clock)
    (aside,) = tmp_path.glob("*Z.log")
    os.utime(aside, (NOON, NOON))
    upkeep()
    assert aside.exists()
    clock.now += SETTLED_SECONDS + 1
    upkeep()
    (packed,) = tmp_path.glob("*.gz")
    assert gzip.decompress(packed.read_bytes()) == b"the first line\n"
    assert (aside.exists(), packed.stat().st_mtime) == (False, NOON)  # its age is that of its last line
    assert (tmp_path / "api.log").read_text() == "the second\n"
    log.close()


def test_o11_one_process_at_a_time_tidies_up(tmp_path: Path, clock: Time) -> None:
    gone = old(tmp_path / "api.2027-01-01T00-00-00.000000Z.log.gz", days=31)
    upkeep = Upkeep(tmp_path, keep=30 * DAY, most=1 << 40, now=clock)
    with (tmp_path / ".upkeep.lock").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        upkeep()
        assert gone.exists()
    upkeep()
    assert not gone.exists()


def test_o11_a_disk_that_is_full_costs_lines_and_nothing_else(clock: Time, tmp_path: Path) -> None:
    log = file(tmp_path, clock)
    (tmp_path / "api.log").symlink_to("/dev/full")
    log.write("lost")
    log.write("lost too")
    log.close()
    (tmp_path / "api.log").unlink()
    log = file(tmp_path, clock)
    log.write("there is room again")
    log.close()
    assert (tmp_path / "api.log").read_text() == "there is room again\n"


def test_o11_a_line_that_a_full_disk_cut_takes_no_other_with_it(clock: Time, tmp_path: Path) -> None:
    limited, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = file(tmp_path, clock)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        log.write("whole")
        log.write("torn in two")
        log.write("lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limited, hard))
        signal.signal(signal.SIGXFSZ, before)
    log.write("whole again")
    log.close()
    assert (tmp_path / "api.log").read_text().splitlines() == ["whole", "torn", "whole again"]
