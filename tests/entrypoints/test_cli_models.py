"""`colloquy models` as its users call it, against a hub on the loopback."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.catalogue import CATALOGUE
from tests.loopback_hub import COMMIT, LoopbackHub, loopback_hub

COLLOQUY = Path(sys.executable).with_name("colloquy")
WEIGHTS = Path(__file__).parents[1] / "data" / "small-whisper"
ZIPFORMER = CATALOGUE["zipformer"]
pytestmark = pytest.mark.timeout(120)  # each call starts an interpreter, on a machine that may be busy


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    """Has one model of the catalogue, of which nothing but the files' names is known beforehand."""
    with loopback_hub() as running:
        running.files[ZIPFORMER.repository] = {file.path: os.urandom(20_000) for file in ZIPFORMER.files}
        yield running


def models(*arguments: str | Path, data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
    environment |= {"DATA_DIR": str(data), "COLUMNS": "250", **settings}
    command = [COLLOQUY, "models", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_list_says_what_is_here_and_what_can_be_had(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny").symlink_to(WEIGHTS)
    (tmp_path / "models" / "ours").symlink_to(WEIGHTS)
    ran = models("list", data=tmp_path)
    assert ran.returncode == 0, ran.stderr
    lines = {line.split()[0]: line for line in ran.stdout.splitlines() if line}
    assert set(CATALOGUE) < set(lines)
    assert lines["tiny"].rstrip().endswith("here")
    assert lines["ours"].rstrip().endswith("here")
    assert lines["medium"].rstrip().endswith("can be pulled")
    assert "1,531 MB" in lines["medium"]
    assert "(gated)" in lines["pyannote-community-1"]
    offline = models("list", data=tmp_path, MODELS_DOWNLOAD="false")
    assert "MODELS_DOWNLOAD is off" in offline.stdout


def test_a_model_is_pulled_verified_exported_and_taken_in_elsewhere(tmp_path: Path, hub: LoopbackHub) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    pulled = models("pull", "zipformer", data=here, MODELS_HUB_URL=hub.url)
    assert pulled.returncode == 0, pulled.stderr
    assert str(here / "models" / "zipformer") in pulled.stdout
    manifest = json.loads((here / "models" / "zipformer" / ".colloquy.json").read_text())
    assert manifest["revision"] == (ZIPFORMER.revision or COMMIT)
    assert len(manifest["files"]) == len(ZIPFORMER.files)

    again = models("pull", "zipformer", data=here, MODELS_HUB_URL="http://127.0.0.1:9")
    assert (again.returncode, "is here" in again.stdout) == (0, True)

    verified = models("verify", data=here)
    assert (verified.returncode, verified.stdout) == (0, "zipformer: as published\n")

    exported = models("export", "zipformer", tmp_path / "z.tar", data=here)
    assert exported.returncode == 0, exported.stderr
    taken = models("import", tmp_path / "z.tar", data=there, MODELS_DOWNLOAD="false")
    assert taken.returncode == 0, taken.stderr
    assert models("verify", "zipformer", data=there).returncode == 0
    assert models("import", tmp_path / "z.tar", data=there).returncode == 4

    (there / "models" / "zipformer" / "tokens.txt").write_bytes(b"rot")
    wrong = models("verify", data=there)
    assert (wrong.returncode, wrong.stdout) == (1, "zipformer: tokens.txt has 3 bytes, not 20000\n")
    refused = models("export", "zipformer", tmp_path / "rotten.tar", data=there)
    assert (refused.returncode, (tmp_path / "rotten.tar").exists()) == (4, False)


@pytest.mark.parametrize(
    ("arguments", "settings", "status", "said"),
    [
        (("pull", "nonesuch"), {}, 4, "the catalogue has no model 'nonesuch'"),
        (("pull", "tiny"), {"MODELS_DOWNLOAD": "false"}, 4, "MODELS_DOWNLOAD is off"),
        (("pull", "sherpa-reverb"), {}, 4, "MODELS_ALLOW_NON_COMMERCIAL"),
        (("pull", "tiny"), {"MODELS_HUB_URL": "http://127.0.0.1:9"}, 4, "no answer"),
        (("verify", "nonesuch"), {}, 4, "there is no model 'nonesuch'"),
        (("verify", "../../etc"), {}, 4, "there is no model"),
        (("export", "tiny", "x.tar"), {}, 4, "is not on this machine"),
        (("import", __file__), {}, 4, "is no parcel of a model"),
        (("convert", "pyannote-community-1"), {}, 4, "is not on this machine"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], status: int, said: str
) -> None:
    ran = models(*arguments, data=tmp_path, **settings)
    assert (ran.returncode, said in ran.stderr, "Traceback" in ran.stderr) == (status, True, False), ran.stderr


def test_a_model_that_is_not_here_is_not_as_published(tmp_path: Path) -> None:
    ran = models("verify", "tiny", data=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "tiny: it is not on this machine\n")


def test_converting_says_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "ours"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("pipeline: {}\n")
    ran = models("convert", "ours", data=tmp_path)
    assert ran.returncode == 4
    assert "'.[pyannote]'" in ran.stderr or "ours" in ran.stderr
    assert not (tmp_path / "models" / "ours-onnx").exists()


def test_a_pull_that_was_killed_is_taken_up_again(tmp_path: Path, hub: LoopbackHub) -> None:
    """The first file is whole and checked, the second never comes: a second try asks for that alone."""
    encoder = ZIPFORMER.files[1].path
    kept = hub.files[ZIPFORMER.repository].pop(encoder)
    failed = models("pull", "zipformer", data=tmp_path, MODELS_HUB_URL=hub.url)
    assert (failed.returncode, "answered 404" in failed.stderr) == (4, True)
    hub.files[ZIPFORMER.repository][encoder] = kept
    assert models("pull", "zipformer", data=tmp_path, MODELS_HUB_URL=hub.url).returncode == 0


def test_a_hub_that_hangs_does_not_hold_the_command(tmp_path: Path) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        began = time.monotonic()
        ran = models("pull", "tiny", data=tmp_path, MODELS_HUB_URL=f"http://127.0.0.1:{hole.getsockname()[1]}")
    assert (ran.returncode, "no answer" in ran.stderr) == (4, True)
    assert time.monotonic() - began < 40  # of which ten seconds are patience; left alone, the client tries for minutes
