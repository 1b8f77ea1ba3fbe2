"""Fetching weights: resumed, checked, whole or not there; and what is said when it cannot be."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import constants

import adapters.hub
import adapters.hub_client
from adapters.catalogue import CATALOGUE
from adapters.catalogue.shelf import MANIFEST, Manifest, find, verify
from adapters.hub import Hub, fetch
from domain.errors import EngineUnavailable
from tests.adapters.processes import wait_until
from tests.contracts.transcription import ROOT
from tests.loopback_hub import COMMIT, LoopbackHub, loopback_hub, weights_of

NOWHERE = Path("/nonexistent")
SECRET = "hf_secret"  # noqa: S105 - of the test


def silent(_arrived: int, _total: int | None) -> None:
    """Hear nothing."""


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with loopback_hub() as running:
        yield running


@pytest.fixture
def published(tmp_path: Path, hub: LoopbackHub) -> Path:
    folder = tmp_path / "published"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "deep" / "model.bin").write_bytes(bytes(range(256)) * 4_000)
    hub.publish("somebody/something", folder)
    return folder


# The catalogue


def test_every_digest_and_revision_of_the_catalogue_has_the_form_of_one() -> None:
    for weights in CATALOGUE.values():
        assert weights.files
        assert weights.licence
        for file in weights.files:
            assert not Path(file.path).is_absolute()
            assert ".." not in Path(file.path).parts
            assert file.text or file.sha256 is None or len(bytes.fromhex(file.sha256)) == 32
            revision = weights.revision_of(file)
            assert revision is None or len(bytes.fromhex(revision)) == 20
            assert (file.size is None) == (file.sha256 is None)


def test_no_two_files_of_the_catalogue_share_a_digest_but_not_a_size() -> None:
    sizes: dict[str, int] = {}
    for weights in CATALOGUE.values():
        for file in weights.files:
            if file.sha256 and file.size:
                assert sizes.setdefault(file.sha256, file.size) == file.size


def test_what_loads_pickles_has_a_digest_for_each() -> None:
    for weights in CATALOGUE.values():
        assert all(file.sha256 for file in weights.files if file.path.endswith((".bin", ".npz")))


# Fetching


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("small_tags", [True, False])
def test_a_model_arrives_whole_with_a_manifest(
    tmp_path: Path,
    hub: LoopbackHub,
    published: Path,
    known: bool,  # noqa: FBT001 - of the test
    small_tags: bool,  # noqa: FBT001 - of the test
) -> None:
    hub.small_tags = small_tags
    weights = weights_of(published, known=known)
    told: list[tuple[int, int | None]] = []
    folder = fetch(weights, tmp_path / "models", Hub(hub.url), lambda *now: told.append(now))
    assert folder == tmp_path / "models" / "tiny" == find(weights, tmp_path / "models", NOWHERE)
    for file in weights.files:
        assert (folder / file.path).read_bytes() == (published / file.path).read_bytes()
    manifest = Manifest.read(folder)
    assert manifest is not None
    assert manifest.revision == COMMIT
    assert {held.path: held.sha256 for held in manifest.files} == {
        file.path: sha256((published / file.path).read_bytes()).hexdigest() for file in weights.files
    }
    assert list(verify(folder)) == []
    assert told
    assert {path.name for path in folder.parent.iterdir()} == {"tiny", ".tiny.lock"}
    assert {path.name for path in folder.iterdir()} == {"config.json", "deep", MANIFEST}


def test_an_unknown_revision_is_resolved_once(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    fetch(weights_of(published, known=False), tmp_path / "models", Hub(hub.url), silent)
    revisions = [path.split("/resolve/")[1].split("/")[0] for _, path, _ in hub.asked]
    assert revisions[0] == "main"
    assert set(revisions[1:]) == {COMMIT}


def test_parts_of_other_repositories_and_written_files_come_together(tmp_path: Path, hub: LoopbackHub) -> None:
    weights = CATALOGUE["pyannote-3.1"]
    assert weights.repository_of(weights.files[1]) != weights.repository_of(weights.files[2])
    for file in weights.files[1:]:
        hub.files[weights.repository_of(file)] = {"pytorch_model.bin": b"not the one"}
    with pytest.raises(EngineUnavailable, match="does not have its checksum"):
        fetch(weights, tmp_path, Hub(hub.url), silent)
    asked = {path for _, path, _ in hub.asked}
    segmentation = weights.files[1]
    assert f"/pyannote/segmentation-3.0/resolve/{segmentation.revision}/pytorch_model.bin" in asked
    assert find(weights, tmp_path, NOWHERE) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_checksum_leaves_nothing(tmp_path: Path, hub: LoopbackHub, published: Path, known: bool) -> None:  # noqa: FBT001 - of the test
    hub.lie = True
    weights = weights_of(published, known=known)
    with pytest.raises(EngineUnavailable, match="does not have its checksum"):
        fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert find(weights, tmp_path / "models", NOWHERE) is None
    assert not (tmp_path / "models" / "tiny").exists()
    assert not list((tmp_path / "models").rglob("model.bin*"))
    hub.lie = False
    fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert list(verify(tmp_path / "models" / "tiny", weights)) == []


def test_what_was_interrupted_is_taken_up_again(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    weights = weights_of(published)
    partial = tmp_path / "models" / ".tiny.part"
    (partial / "deep").mkdir(parents=True)
    shutil.copy(published / "deep" / "model.bin", partial / "deep")
    fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert not [path for _, path, _ in hub.asked if path.endswith("model.bin")]
    assert list(verify(tmp_path / "models" / "tiny", weights)) == []


@pytest.mark.parametrize(("status", "gated", "says"), [
    (401, True, "gated, and the hub answered 401: set MODELS_HUB_TOKEN"),
    (403, True, "gated, and the hub answered 403: set MODELS_HUB_TOKEN"),
    (403, False, "the hub answered 403"),
    (404, False, "the hub answered 404"),
    (500, False, "the hub answered 500"),
])  # fmt: skip
@pytest.mark.timeout(60)
def test_what_the_hub_refuses_is_said(  # noqa: PLR0917 - of the test
    tmp_path: Path,
    hub: LoopbackHub,
    published: Path,
    status: int,
    gated: bool,  # noqa: FBT001 - of the test
    says: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    hub.refuse = status
    with pytest.raises(EngineUnavailable, match=says):
        fetch(weights_of(published, gated=gated, known=False), tmp_path / "models", Hub(hub.url), silent)


def test_the_token_goes_to_gated_models_alone(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    keyed = Hub(hub.url, token=SECRET)
    assert SECRET not in repr(keyed)
    fetch(weights_of(published, "open"), tmp_path / "models", keyed, silent)
    assert {token for _, _, token in hub.asked} == {""}
    hub.token = SECRET
    fetch(weights_of(published, "gated", gated=True), tmp_path / "models", keyed, silent)
    assert SECRET not in (tmp_path / "models" / "gated" / MANIFEST).read_text()


def test_a_token_that_is_not_enough_is_told_apart(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    hub.refuse = 403
    with pytest.raises(EngineUnavailable, match="accept its licence there"):
        fetch(weights_of(published, gated=True), tmp_path, Hub(hub.url, token=SECRET), silent)


def test_non_commercial_weights_need_a_word(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    weights = weights_of(published, non_commercial=True)
    with pytest.raises(EngineUnavailable, match="MODELS_ALLOW_NON_COMMERCIAL"):
        fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert hub.asked == []
    fetch(weights, tmp_path / "models", Hub(hub.url, allow_non_commercial=True), silent)


def test_a_hub_that_hangs_is_given_up(tmp_path: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.hub_client, "_ANSWER_SECONDS", 1.0)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        began = time.monotonic()
        with pytest.raises(EngineUnavailable, match="could not be downloaded from the hub"):
            fetch(weights_of(published), tmp_path / "m", Hub(f"http://127.0.0.1:{hole.getsockname()[1]}"), silent)
        assert time.monotonic() - began < 8


def test_a_hub_that_stops_sending_is_given_up_and_its_part_kept(
    tmp_path: Path, hub: LoopbackHub, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    hub.cut = 500_000
    weights = weights_of(published)
    with pytest.raises(EngineUnavailable):
        fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert not (tmp_path / "models" / "tiny").exists()
    hub.cut = 0
    hub.ranges.clear()
    fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    assert hub.ranges == ["bytes=500000-"]
    assert list(verify(tmp_path / "models" / "tiny", weights)) == []


_FETCH = """
import sys
from pathlib import Path
from adapters.hub import Hub, fetch
from tests.adapters.processes import wait_until
from tests.contracts.transcription import ROOT
from tests.loopback_hub import weights_of
fetch(weights_of(Path(sys.argv[1])), Path(sys.argv[2]), Hub(sys.argv[3]), lambda *_: None)
"""


def test_a_download_whose_process_was_killed_goes_on_where_it_was(
    tmp_path: Path, hub: LoopbackHub, published: Path
) -> None:
    hub.cut, hub.pause = 600_000, 20.0
    part = tmp_path / "models" / ".tiny.part" / "deep" / "model.bin.incomplete"
    with subprocess.Popen(
        [sys.executable, "-c", _FETCH, published, tmp_path / "models", hub.url], cwd=ROOT
    ) as fetching:
        wait_until(lambda: part.exists() and part.stat().st_size > 0, seconds=15)
        fetching.kill()
    there = part.stat().st_size
    hub.cut, hub.pause = 0, 0.0
    fetch(weights_of(published), tmp_path / "models", Hub(hub.url), silent)
    assert hub.ranges == [f"bytes={there}-"]
    assert list(verify(tmp_path / "models" / "tiny", weights_of(published))) == []


def test_a_part_of_something_else_is_not_taken_up(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    weights = weights_of(published)
    part = tmp_path / "models" / ".tiny.part" / "deep" / "model.bin.incomplete"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(100_000))
    with pytest.raises(EngineUnavailable, match="does not have its checksum"):
        fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(2_000_000))
    fetch(weights, tmp_path / "models", Hub(hub.url), silent, again=True)
    assert list(verify(tmp_path / "models" / "tiny", weights)) == []


def test_what_does_not_fit_is_refused_before_the_first_byte(
    tmp_path: Path, hub: LoopbackHub, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters.hub, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(EngineUnavailable, match=r"needs .* MB of disk"):
        fetch(weights_of(published), tmp_path / "models", Hub(hub.url), silent)
    assert hub.asked == []


def test_a_half_made_directory_of_somebody_is_not_overwritten(
    tmp_path: Path, hub: LoopbackHub, published: Path
) -> None:
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    (tmp_path / "models" / "tiny" / "mine.bin").write_bytes(b"mine")
    with pytest.raises(EngineUnavailable, match="is not whole"):
        fetch(weights_of(published), tmp_path / "models", Hub(hub.url), silent)
    assert (tmp_path / "models" / "tiny" / "mine.bin").exists()


def test_weights_that_are_wrong_can_be_fetched_again(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    weights = weights_of(published)
    folder = fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    (folder / "deep" / "model.bin").write_bytes(b"rot")
    assert list(verify(folder, weights)) == ["deep/model.bin has 3 bytes, not 1024000"]
    fetch(weights, tmp_path / "models", Hub(hub.url), silent, again=True)
    assert list(verify(folder, weights)) == []


def test_two_that_fetch_the_same_take_turns(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    weights = weights_of(published)
    hub.hang = 0.1
    with ThreadPoolExecutor(2) as both:
        folders = list(both.map(lambda _: fetch(weights, tmp_path / "models", Hub(hub.url), silent), range(2)))
    assert folders == [tmp_path / "models" / "tiny"] * 2
    assert len([path for verb, path, _ in hub.asked if verb == "GET" and path.endswith("model.bin")]) == 1
    assert list(verify(folders[0], weights)) == []


def test_the_hub_is_told_nothing_of_the_machine(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    fetch(weights_of(published, known=False), tmp_path / "models", Hub(hub.url), silent)
    assert hub.agents
    for agent in hub.agents:
        assert {part.strip().partition("/")[0] for part in agent.split(";")} <= {
            "unknown",
            "hf_hub",
            "python",
            "colloquy",
        }


# Verifying


def test_a_flipped_bit_is_found(tmp_path: Path, hub: LoopbackHub, published: Path) -> None:
    folder = fetch(weights_of(published), tmp_path / "models", Hub(hub.url), silent)
    model = folder / "deep" / "model.bin"
    content = bytearray(model.read_bytes())
    content[500_000] ^= 1
    model.write_bytes(content)
    assert list(verify(folder)) == ["deep/model.bin does not have its digest"]
    model.unlink()
    assert list(verify(folder)) == ["deep/model.bin is missing"]


def test_a_forged_manifest_does_not_excuse_weights_of_the_catalogue(
    tmp_path: Path, hub: LoopbackHub, published: Path
) -> None:
    weights = weights_of(published)
    folder = fetch(weights, tmp_path / "models", Hub(hub.url), silent)
    (folder / "config.json").write_text("[]")
    told = json.loads((folder / MANIFEST).read_text())
    told["files"][0] |= {"size": 2, "sha256": sha256(b"[]").hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(told))
    assert list(verify(folder)) == []
    assert list(verify(folder, weights)) == ["config.json does not have its digest"]


@pytest.mark.parametrize("rubbish", ["", "[]", "{", '{"files": 3}', '{"files": [{}]}'])
def test_an_unreadable_manifest_is_none(tmp_path: Path, rubbish: str) -> None:
    (tmp_path / MANIFEST).write_text(rubbish)
    assert Manifest.read(tmp_path) is None
    assert list(verify(tmp_path)) == ["there is no manifest, and nothing is published to compare it with"]
