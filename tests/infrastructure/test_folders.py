"""Folders that several processes share: who may be in one, and that only the dead's are removed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.folders import DataFolderBusy, OwnFolder, hold_data_folder

CHILD = """
import sys, time
from pathlib import Path
from infrastructure.folders import OwnFolder
own = OwnFolder(Path(sys.argv[1]))
path = own.take()
(path / "half decoded").touch()
print(path, flush=True)
time.sleep(60)
"""


def another_process(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(parent)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def test_each_process_has_a_folder_of_its_own_and_removes_only_those_of_the_dead(tmp_path: Path) -> None:
    (tmp_path / "left by an older release").mkdir()
    (tmp_path / "a file").touch()
    (living, theirs), (dying, left) = another_process(tmp_path), another_process(tmp_path)
    try:
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        assert left.exists()
        own = OwnFolder(tmp_path)
        assert own.take() not in {theirs, left}
        assert {path.name for path in tmp_path.iterdir()} == {own.path.name, theirs.name, ".lock"}
        assert (theirs / "half decoded").exists()
        own.release()
        assert not own.path.exists()
    finally:
        for child in (living, dying):
            child.kill()
            child.communicate()


def test_a_data_folder_is_shared_or_not_at_all(tmp_path: Path) -> None:
    shared = hold_data_folder(tmp_path, shared=True)
    with shared, hold_data_folder(tmp_path, shared=True), pytest.raises(DataFolderBusy):
        hold_data_folder(tmp_path, shared=False)
    with hold_data_folder(tmp_path, shared=False), pytest.raises(DataFolderBusy):
        hold_data_folder(tmp_path, shared=True)
