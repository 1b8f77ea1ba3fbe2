import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from infrastructure.pulse import STALE_SECONDS, Pulse, Sign, signs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pulse"


def only(folder: Path) -> Sign:
    [sign] = signs(folder)
    return sign


def test_a_process_says_how_it_is_until_it_ends(folder: Path) -> None:
    pulse = Pulse(folder, "worker").begin()
    assert (only(folder).role, only(folder).pid, only(folder).parts) == ("worker", os.getpid(), {})
    pulse.beat({"database": "does not answer, for quite a while now"}, "")
    pulse.beat({"database": "ok"}, "http://127.0.0.1:9")
    assert only(folder).alive
    assert (only(folder).parts, only(folder).url) == ({"database": "ok"}, "http://127.0.0.1:9")
    pulse.end()
    assert list(signs(folder)) == []
    assert list(folder.iterdir()) == []


def test_a_process_that_says_nothing_any_more_is_not_alive_until_it_does(folder: Path) -> None:
    pulse = Pulse(folder, "api").begin()
    [file] = folder.iterdir()
    then = file.stat().st_mtime - STALE_SECONDS - 1
    os.utime(file, (then, then))
    assert not only(folder).alive
    pulse.beat({}, "")
    assert only(folder).alive
    file.unlink()
    pulse.beat({}, "")
    assert only(folder).alive, "what was tidied away comes back"
    pulse.end()


def test_a_disk_without_room_does_not_stop_the_pulse(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulse = Pulse(folder, "api").begin()
    [file] = folder.iterdir()
    os.utime(file, (0, 0))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    pulse.beat({"storage": "nearly full"}, "")
    assert only(folder).alive
    assert only(folder).parts == {}
    pulse.end()


def _live_on(folder: Path) -> None:
    Pulse(folder, "worker").begin()
    signal.pause()


def test_a_killed_process_is_forgotten(folder: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_live_on, args=(folder,))
    process.start()
    while not folder.is_dir() or not list(signs(folder)):
        assert process.is_alive()
    assert only(folder).pid == process.pid
    process.kill()
    process.join()
    assert list(signs(folder)) == []
    assert list(folder.iterdir()) == []
    process.close()
