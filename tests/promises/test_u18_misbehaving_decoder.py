"""U-18: whatever happens to the decoder's child, it happens to nobody else, and the recording is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from adapters.media.forks import Forks
from domain.errors import ColloquyError, EngineFailed, MediaRejected
from domain.media import DecodeLimits
from tests.adapters.processes import children, running, wait_until
from tests.contracts.media_decoder import LIMITS, VOICE, decoded, ignore
from tests.media_files import RATE, wav

ANSWER = {
    "facts": {
        "container": "wav",
        "codec": "pcm_s16le",
        "sample_rate": 16_000,
        "channels": 1,
        "declared": None,
        "tracks": 1,
        "track": 0,
        "relation": "single",
    }
}


_started: list[Forks] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """End what a test's decoders fork from."""
    yield
    while _started:
        _started.pop().close()


def child(code: str) -> AvDecoder:
    """A decoder whose child runs `code` instead, with its job in `job`."""
    _started.append(Forks("tests.promises.misbehaving", code))
    return AvDecoder(_started[-1])


def outcome(decoder: AvDecoder, tmp_path: Path, limits: DecodeLimits = LIMITS) -> MediaRejected:
    """Have `decoder` fail; nothing of it may be left."""
    with pytest.raises(MediaRejected) as caught:
        decoded(decoder, wav(VOICE.samples), tmp_path, limits=limits)
    assert list((tmp_path / "into").iterdir()) == []
    assert children() == set()
    return caught.value


def test_u18_the_next_recording_is_decoded(tmp_path: Path) -> None:
    decoder = AvDecoder()
    for code in ("os.kill(os.getpid(), 11)", "os.write(1, b'x' * 100_000)"):
        outcome(child(code), tmp_path)
        assert decoded(decoder, wav(VOICE.samples), tmp_path).mix.duration == 3000
        (tmp_path / "into" / "mix.pcm").unlink()


@pytest.mark.parametrize(
    "code",
    [
        "os.kill(os.getpid(), 11)",
        "os.abort()",
        "sys.exit(1)",
        "sys.exit(0)",
        "raise RuntimeError",
        "os.write(1, b'nonsense\\n')",
        "os.write(1, b'[1, 2]\\n')",
        "os.write(1, b'\\xff\\xfe\\n')",
        "os.write(1, b'{\"facts\": {}}\\n')",
        "os.write(1, b'{\"facts\": null}\\n')",
        'os.write(1, b\'{"refused": "made_up", "detail": 1}\\n\')',
        'os.write(1, b\'{"refused": ["too_long"]}\\n\')',
        'os.write(1, b\'{"fraction": "much"}\\n\')',
        "os.write(1, b'[' * 60_000 + b'\\n')",
        f"os.write(1, {json.dumps(ANSWER).replace('16000', '1e999')!r}.encode() + b'\\n')",
        f"os.write(1, {json.dumps(ANSWER)!r}.encode() + b'\\n')",  # an answer, and no samples
    ],
)
def test_u18_a_crash_or_a_wrong_answer_is_a_refusal(code: str, tmp_path: Path) -> None:
    assert outcome(child(code), tmp_path).reason == "decode_failed"


def test_u18_a_child_that_was_killed_from_outside_says_nothing_of_the_recording(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed) as caught:
        decoded(child("os.kill(os.getpid(), 9)"), wav(VOICE.samples), tmp_path, limits=LIMITS)
    assert caught.value.reason == "worker_crashed"
    assert list((tmp_path / "into").iterdir()) == []


# What says which process it came from, once it has done something else.
WHENCE = "os.write(1, json.dumps({'refused': 'decode_failed', 'detail': str(os.getppid())}).encode() + b'\\n')"


def test_u18_a_fork_server_that_died_is_replaced(tmp_path: Path) -> None:
    decoder = child(WHENCE)
    before = int(outcome(decoder, tmp_path).detail)
    assert int(outcome(decoder, tmp_path).detail) == before
    os.kill(before, signal.SIGKILL)
    assert int(outcome(decoder, tmp_path).detail) != before


def test_u18_a_fork_server_that_dies_at_work_says_nothing_of_the_recording(tmp_path: Path) -> None:
    decoder = child("import time\nos.write(1, b'{\"fraction\": 0.1}\\n')\ntime.sleep(0.5)\nos.kill(os.getppid(), 9)")
    with pytest.raises(EngineFailed) as caught:
        decoded(decoder, wav(VOICE.samples), tmp_path, limits=LIMITS)
    assert caught.value.reason == "worker_crashed"
    wait_until(lambda: children() == set(), seconds=2)


def test_u18_after_a_crash_its_addresses_are_used_no_more(tmp_path: Path) -> None:
    """And what was forked with the same ones before goes on undisturbed."""
    decoder = child(
        "import time\n"
        "if job['source'].endswith('slow'):\n    time.sleep(2)\n"
        f"if job['source'].endswith('crash'):\n    os.kill(os.getpid(), 11)\n{WHENCE}"
    )

    def detail(name: str) -> str:
        (tmp_path / name).write_bytes(b"a recording")
        with pytest.raises(MediaRejected) as caught:
            decoder.decode(tmp_path / name, tmp_path, LIMITS, ignore)
        return str(caught.value)

    before = detail("any")
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(detail, "slow")
        time.sleep(0.5)
        detail("crash")
        assert detail("any") != before
        assert slow.result() == before


def test_u18_a_child_that_used_up_its_time_was_not_killed_from_outside(tmp_path: Path) -> None:
    spend = "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass"
    assert outcome(child(spend), tmp_path).reason == "decode_failed"


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import time, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)",
        "while True: pass",
        "import time\nos.close(1)\nwhile True: time.sleep(1)",
        "import time\nwhile True: os.write(1, b'x'); time.sleep(0.05)",  # never a whole line
        "while True: os.write(1, b'x' * 60_000)",  # never a line end
        "while True: os.write(1, b'{\"fraction\": 0.5}\\n' * 1000)",  # progress for ever
    ],
)
def test_u18_a_child_that_does_not_end_is_ended_with_all_its_own(code: str, tmp_path: Path) -> None:
    limits = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=1.0)
    started = time.monotonic()
    assert outcome(child(code), tmp_path, limits).reason == "decode_failed"
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_u18_a_child_with_a_family_is_ended_with_it(tmp_path: Path) -> None:
    code = """
import pathlib, time
for _ in range(9):
    if not os.fork():
        pathlib.Path(job["source"]).with_name(f"member-{os.getpid()}").touch()
        break
while True: time.sleep(1)
"""
    limits = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=2.0)
    assert outcome(child(code), tmp_path, limits).reason == "decode_failed"
    members = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("member-*")]
    assert len(members) == 9
    wait_until(lambda: not any(map(running, members)), seconds=2)


def test_u18_cancelling_ends_the_child_and_is_heard_at_least_every_second(tmp_path: Path) -> None:
    calls: list[float] = []

    class Cancelled(ColloquyError):
        """What the sink raises."""

    def cancel_after_two_seconds(_: float) -> None:
        calls.append(time.monotonic())
        if calls[-1] - calls[0] > 2:
            raise Cancelled("enough")

    (tmp_path / "source").write_bytes(wav(VOICE.samples))
    with pytest.raises(Cancelled):
        child("import time\ntime.sleep(60)").decode(tmp_path / "source", tmp_path, LIMITS, cancel_after_two_seconds)
    assert max(after - before for before, after in pairwise(calls)) < 1
    assert children() == set()


# What a child that was taken over by its input can still do. `confine` has run, as before every real decoding, and
# the one descriptor that it leaves for the demuxer is in use, as it is by then.
TAKEN_OVER = """
from adapters.confinement import confine
import ctypes, errno, signal, socket, threading
confine(memory=512 << 20, seconds=2, file_size=1 << 20)
os.dup(0)
def attack():
    {attack}
try:
    attack()
    outcome = "done"
except (OSError, MemoryError, RuntimeError, ValueError) as error:
    outcome = type(error).__name__
os.write(1, json.dumps({{"refused": "decode_failed", "detail": outcome}}).encode() + b"\\n")
"""
ATTACKS = {
    "forks": "os.fork()",
    "runs a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "starts a thread": "threading.Thread(target=print).start()",
    "connects": "socket.create_connection(('127.0.0.1', 80), timeout=1)",
    "listens": "socket.create_server(('127.0.0.1', 0))",
    "sends a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "opens a raw socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "reads the machine's files": "open('/etc/passwd').read()",
    "reads the recording again": "open(job['source'], 'rb').read()",
    "writes another file": "open(job['mix'] + '.more', 'wb')",
    "takes memory": "bytearray(1 << 30)",
    "raises its limits": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))",
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_u18_a_child_taken_over_can_do_nothing(attack: str, tmp_path: Path) -> None:
    refusal = outcome(child(TAKEN_OVER.format(attack=ATTACKS[attack])), tmp_path)
    assert refusal.reason == "decode_failed"
    assert refusal.detail not in {"done", ""}, f"it {attack}"
    assert "result" not in refusal.detail, "it did not even get to its attack"


@pytest.mark.slow
def test_u18_nor_remove_files_nor_signal_its_parent(tmp_path: Path) -> None:
    """These need no descriptor; Landlock and another user's rights stop them, where the kernel grants either."""
    layers = AvDecoder().confinement()
    assert layers["landlock"] or (os.geteuid() == 0 and layers["unprivileged_user"]), layers
    for attack in ("os.unlink(job['source'])", "os.truncate(job['source'], 0)", "os.rename(job['source'], '/tmp/x')"):
        assert outcome(child(TAKEN_OVER.format(attack=attack)), tmp_path).detail == "PermissionError"
    if os.geteuid() == 0:
        signalled = outcome(child(TAKEN_OVER.format(attack="os.kill(os.getppid(), 0)")), tmp_path)
        assert signalled.detail == "PermissionError"


def test_u18_huge_output_stops_at_the_limit(tmp_path: Path) -> None:
    """A file of 1 MiB was allowed; the child writes for ever into the file that it had open before."""
    flood = TAKEN_OVER.format(attack="while file.tell() <= 1 << 20: file.write(b'x' * 9999)")
    code = "file = open(job['mix'], 'wb', buffering=0)\n" + flood
    assert outcome(child(code), tmp_path).detail == "OSError"


@pytest.mark.slow
def test_u18_a_busy_child_runs_out_of_processor_time(tmp_path: Path) -> None:
    """Two seconds of it were allowed; the kernel ends the child long before the parent would."""
    started = time.monotonic()
    refusal = outcome(child(TAKEN_OVER.format(attack="while True: pass")), tmp_path)
    assert (refusal.reason, refusal.detail) == ("decode_failed", "The decoder ended without a result.")
    assert time.monotonic() - started < 15


def test_u18_it_takes_its_memory_from_its_own_limit(tmp_path: Path) -> None:
    """The real child, with less memory than its codecs need."""
    small = DecodeLimits(max_duration=60_000, max_memory=64 << 20, max_seconds=30.0)
    with pytest.raises(MediaRejected) as caught:
        decoded(AvDecoder(), wav(VOICE.samples), tmp_path, limits=small)
    assert caught.value.reason == "decode_failed"


@pytest.mark.slow
def test_u18_no_child_outlives_its_parent(tmp_path: Path) -> None:
    source, marker = tmp_path / "source", tmp_path / "pid"
    source.write_bytes(wav(VOICE.samples))
    hanging = (
        f"open({str(marker)!r}, 'w').write(str(os.getpid()))\nos.chmod({str(marker)!r}, 0o644)\n"
        + TAKEN_OVER.format(attack="import time; time.sleep(60)")
    )
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.promises.test_u18_misbehaving_decoder import LIMITS, child\n"
        "child(sys.argv[1]).decode(Path(sys.argv[2]), Path(sys.argv[3]), LIMITS, lambda _: None)"
    )
    with subprocess.Popen([sys.executable, "-c", code, hanging, str(source), str(tmp_path)]) as parent:
        wait_until(lambda: marker.exists() and bool(marker.read_text()), seconds=15)
        time.sleep(1)  # until it is confined
        orphan = int(marker.read_text())
        assert running(orphan)
        parent.kill()
        parent.wait()
    wait_until(lambda: not running(orphan), seconds=5)


def test_u18_what_the_confinement_holds_here_is_told(tmp_path: Path) -> None:
    layers = AvDecoder().confinement()
    assert list(layers) == [
        *("network_namespace", "unprivileged_user", "dies_with_parent"),
        *("no_new_privileges", "landlock", "resource_limits"),
    ]
    assert layers["resource_limits"]
    assert layers["dies_with_parent"]
    assert layers["no_new_privileges"]
    source = tmp_path / "source"
    source.write_bytes(wav(VOICE.samples))
    assert AvDecoder().decode(source, tmp_path, LIMITS, ignore).mix.duration == len(VOICE.samples) * 1000 // RATE
