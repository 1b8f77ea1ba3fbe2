"""Models as tar files: they arrive as they left, and a parcel that means harm is not taken in."""

import io
import json
import os
import resource
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.catalogue.shelf import MANIFEST, Held, Manifest, verify
from adapters.parcel import pack
from adapters.parcel import unpack as unpack_admitted
from domain.errors import EngineUnavailable


def silent(_arrived: int) -> None:
    """Hear nothing."""


def unpack(parcel: Path, models_dir: Path, report: Callable[[int], None], *, again: bool = False) -> str:
    """Take in whatever it is."""
    return unpack_admitted(parcel, models_dir, report, admit=lambda _: None, again=again)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "here" / "mine"
    (made / "deep").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "deep" / "model.bin").write_bytes(os.urandom(300_000))
    return made


def test_a_model_arrives_as_it_left(tmp_path: Path, folder: Path) -> None:
    parcel = tmp_path / "mine.tar"
    assert pack("mine", folder, parcel) == parcel.stat().st_size
    told: list[int] = []
    assert unpack(parcel, tmp_path / "there", told.append) == "mine"
    there = tmp_path / "there" / "mine"
    for name in ("config.json", "deep/model.bin"):
        assert (there / name).read_bytes() == (folder / name).read_bytes()
    assert list(verify(there)) == []
    assert told[-1] == 300_002
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine"]
    with tarfile.open(parcel) as tar:
        assert {(member.uid, member.uname, member.mode) for member in tar} == {(0, "", 0o644)}


def test_a_model_that_is_there_is_replaced_only_when_asked(tmp_path: Path, folder: Path) -> None:
    parcel = tmp_path / "mine.tar"
    pack("mine", folder, parcel)
    unpack(parcel, tmp_path / "there", silent)
    with pytest.raises(EngineUnavailable, match="already"):
        unpack(parcel, tmp_path / "there", silent)
    assert unpack(parcel, tmp_path / "there", silent, again=True) == "mine"
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine"]


def test_links_of_the_hubs_cache_are_followed(tmp_path: Path, folder: Path) -> None:
    cached = tmp_path / "snapshot"
    cached.mkdir()
    (cached / "config.json").symlink_to(folder / "config.json")
    pack("mine", cached, tmp_path / "mine.tar")
    unpack(tmp_path / "mine.tar", tmp_path / "there", silent)
    assert not (tmp_path / "there" / "mine" / "config.json").is_symlink()


def test_weights_that_rot_are_not_packed(tmp_path: Path, folder: Path) -> None:
    Manifest("mine", "", "", "", (Held("config.json", 2, sha256(b"{}").hexdigest()),)).write(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(EngineUnavailable, match="does not have its digest"):
        pack("mine", folder, tmp_path / "mine.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_stranger_under_a_known_name_is_refused(tmp_path: Path, folder: Path) -> None:
    """What is called `tiny` must be the published `tiny`, whatever the parcel's own manifest says."""
    with pytest.raises(EngineUnavailable):
        taken(tmp_path, entries(name="tiny"))
    assert not (tmp_path / "there" / "tiny").exists()
    del folder


def file_entry(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def entries(
    name: str = "mine", content: bytes = b"weights", path: str = "model.bin", **about: object
) -> list[tuple[tarfile.TarInfo, bytes]]:
    held = {"path": path, "size": len(content), "sha256": sha256(content).hexdigest()}
    told = {"name": name, "repository": "", "revision": "", "licence": "", "files": [held], **about}
    return [file_entry(f"{name}/{MANIFEST}", json.dumps(told).encode()), file_entry(f"{name}/{path}", content)]


def taken(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> str:
    parcel = tmp_path / "parcel.tar"
    with tarfile.open(parcel, "w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return unpack(parcel, tmp_path / "there", silent)


def special(kind: bytes, name: str, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b""


Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.mark.parametrize(
    "evil",
    [
        lambda: entries(path="../../escaped"),
        lambda: entries(path="/tmp/escaped"),  # noqa: S108 - must not be written to
        lambda: entries(name=".."),
        lambda: entries(name=".hidden"),
        lambda: entries(name="a b"),
        lambda: [*entries(), file_entry("mine/more", b"more")],
        lambda: [*entries(), file_entry("../escaped", b"more")],
        lambda: [entries()[0], special(tarfile.SYMTYPE, "mine/model.bin", "/etc/passwd")],
        lambda: [entries()[0], special(tarfile.LNKTYPE, "mine/model.bin", "/etc/passwd")],
        lambda: [entries()[0], special(tarfile.CHRTYPE, "mine/model.bin")],
        lambda: [entries()[0], special(tarfile.FIFOTYPE, "mine/model.bin")],
        lambda: [entries()[0], special(tarfile.DIRTYPE, "mine/model.bin")],
        lambda: [*entries(), entries()[1]],
        lambda: [entries()[0]],
        lambda: entries()[1:],
        list,
        lambda: [entries()[0], file_entry("mine/model.bin", b"WEIGHTS")],
        lambda: [entries()[0], file_entry("mine/model.bin", b"weights and more")],
        lambda: entries(files=3),
        lambda: entries(files=[{"path": "model.bin", "size": "x", "sha256": ""}]),
        lambda: [file_entry(f"mine/{MANIFEST}", b"["), entries()[1]],
    ],
)
def test_a_parcel_that_means_harm_leaves_nothing(tmp_path: Path, evil: Callable[[], Members]) -> None:
    with pytest.raises(EngineUnavailable):
        taken(tmp_path, evil())
    assert {path.name for path in tmp_path.rglob("*")} <= {"parcel.tar", "there"}


def test_the_harmless_one_is_taken_in(tmp_path: Path) -> None:
    assert taken(tmp_path, entries()) == "mine"


@pytest.mark.parametrize("content", [b"", b"no tar at all", bytes(10_000)])
def test_what_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(EngineUnavailable):
        unpack(tmp_path / "x.tar", tmp_path / "there", silent)


def test_a_parcel_that_was_cut_short_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    parcel = tmp_path / "mine.tar"
    pack("mine", folder, parcel)
    os.truncate(parcel, 200_000)
    with pytest.raises(EngineUnavailable):
        unpack(parcel, tmp_path / "there", silent)
    assert list((tmp_path / "there").iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, folder: Path) -> None:
    parcel = tmp_path / "mine.tar"
    pack("mine", folder, parcel)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(EngineUnavailable, match="cannot be taken in"):
            unpack(parcel, tmp_path / "there", silent)
        with pytest.raises(EngineUnavailable, match="cannot be written"):
            pack("mine", folder, tmp_path / "again.tar")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "there").iterdir()) == []
    assert not list(tmp_path.glob("*again*"))


def test_what_may_not_be_used_is_not_taken_in(tmp_path: Path, folder: Path) -> None:
    pack("mine", folder, tmp_path / "mine.tar")

    def refuse(name: str) -> None:
        raise EngineUnavailable(f"not {name}")

    with pytest.raises(EngineUnavailable, match="not mine"):
        unpack_admitted(tmp_path / "mine.tar", tmp_path / "there", silent, admit=refuse)
    assert not (tmp_path / "there").exists()
