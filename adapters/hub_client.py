"""The hub's client in a thread of its own: nothing but the end of the process can stop it.

It must be imported by nobody but `adapters.hub`, and only when something is fetched.
"""

import contextlib
import fcntl
import hashlib
import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from huggingface_hub import HfFileMetadata, constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils.tqdm import disable_progress_bars

from adapters.catalogue import WeightFile, Weights
from adapters.catalogue.shelf import Held, Manifest, digest_of
from domain.errors import EngineUnavailable

if TYPE_CHECKING:
    from adapters.hub import Hub

# The hub is asked for files and told nothing of this machine; engines' children have it in their environment.
constants.HF_HUB_DISABLE_TELEMETRY = True
# What has arrived is written in pieces this large; of its own ten megabytes a slow line needs minutes for one.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 18
_ANSWER_SECONDS = 10.0
_CAUSES = 10
"""More than a client wraps; errors may go round in circles."""
_SHA1, _SHA256 = 40, 64
"""Hexadecimal digits: the hub's tag of a small file is git's name of it, of a large one the digest of its bytes."""


class Download(threading.Thread):
    """Fetches `weights` into `partial`, which becomes `final`; afterwards `failure` is None or says why not.

    `total` are the bytes of the whole once they are known; `busy` while it computes and no byte need arrive.
    """

    def __init__(self, weights: Weights, final: Path, hub: "Hub", *, again: bool) -> None:
        super().__init__(daemon=True, name="model-download")
        self.final = final
        self.partial = final.with_name(f".{final.name}.part")
        self.total = weights.size
        self.busy = False
        self.failure: Exception | None = None
        self._weights = weights
        self._hub = hub
        self._again = again
        self._token: str | bool = hub.token if weights.gated and hub.token else False
        self._revisions: dict[str, str] = {}
        self._knocked = False

    def run(self) -> None:
        """Fetch, check, and give the directory its name; two processes take turns."""
        disable_progress_bars()
        logging.getLogger("huggingface_hub").setLevel(
            logging.ERROR
        )  # its warnings hold addresses that let anybody in for an hour
        try:
            with self.final.with_name(f".{self.final.name}.lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.final.exists() or self._again:
                    self._fetch()
        except Exception as exc:  # noqa: BLE001 - the thread that waits raises it
            self.failure = exc

    def _fetch(self) -> None:
        weights = self._weights
        structlog.get_logger().info("downloading model", model=weights.name, hub=self._hub.url)
        self.partial.mkdir(parents=True, exist_ok=True)
        plan = {file.path: self._stated(file) for file in weights.files if not file.text}
        self.total = sum(size for size, _ in plan.values()) + sum(len(file.text.encode()) for file in weights.files)
        held = [self._hold(file, *plan.get(file.path, (0, ""))) for file in weights.files]
        revision = weights.revision or self._revisions.get(weights.repository, "")
        Manifest(weights.name, weights.repository, revision, weights.licence, tuple(held)).write(self.partial)
        old = self.final.with_name(f".{self.final.name}.old")
        if self.final.exists():
            self.final.rename(old)
        self.partial.rename(self.final)
        shutil.rmtree(old, ignore_errors=True)

    def _stated(self, file: WeightFile) -> tuple[int, str]:
        """Return the size and the digest that a file must have: the catalogue's, else the hub's."""
        known = file.size is not None and file.sha256 is not None
        if known and self._knocked and self._weights.revision_of(file):
            return file.size or 0, file.sha256 or ""
        told = self._ask(file)
        if told.size is None or told.commit_hash is None:
            raise EngineUnavailable(f"the hub does not state what '{self._weights.name}' is")
        self._revisions.setdefault(self._weights.repository_of(file), told.commit_hash)
        return file.size or told.size, file.sha256 or told.etag or ""

    def _ask(self, file: WeightFile) -> HfFileMetadata:
        """Ask where a file is and what it is, once: a hub that is gone is known to be in seconds."""
        source, repository = file.source or file.path, self._weights.repository_of(file)
        url = hf_hub_url(repository, source, revision=self._revision(file), endpoint=self._hub.url)
        told = get_hf_file_metadata(url, token=self._token, timeout=_ANSWER_SECONDS, endpoint=self._hub.url)
        self._knocked = True
        return told

    def _revision(self, file: WeightFile) -> str:
        """Return the pinned commit, or the one that the branch stood at when it was first asked for."""
        return self._weights.revision_of(file) or self._revisions.get(self._weights.repository_of(file), "main")

    def _hold(self, file: WeightFile, size: int, digest: str) -> Held:
        """Put a file into its place, unless it is there: what is there was checked."""
        place = self.partial / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if file.text:
            place.write_text(file.text, encoding="utf-8")
        elif not place.exists():
            arriving = place.with_name(f"{place.name}.incomplete")
            self._receive(file, arriving, size)
            self._check(arriving, file.path, size, digest)
            arriving.rename(place)
        if len(digest) == _SHA256:
            return Held(file.path, size, digest)
        with self._computing():
            return Held(file.path, place.stat().st_size, digest_of(place))

    def _receive(self, file: WeightFile, into: Path, size: int) -> None:
        """Fetch a file, or what is missing of it."""
        where = self._ask(file).location
        headers = {"User-Agent": "colloquy", "Accept-Encoding": "identity"}
        # Large files lie elsewhere, behind addresses of their own: the token is for the hub alone.
        if self._token and urlsplit(where).netloc == urlsplit(self._hub.url).netloc:
            headers["Authorization"] = f"Bearer {self._token}"
        with into.open("ab") as arriving:
            there = arriving.tell()
            if there > size:
                arriving.truncate(there := 0)
            http_get(where, arriving, resume_size=there, headers=headers)

    def _check(self, file: Path, name: str, size: int, digest: str) -> None:
        with self._computing():
            right = file.stat().st_size == size and _matches(file, digest)
        if not right:
            file.unlink()
            raise EngineUnavailable(
                f"what the hub sent as '{name}' of model '{self._weights.name}' does not have its checksum"
            )

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False


def status_of(failure: BaseException | None) -> int | None:
    """Return the HTTP status that a failure, or what caused it, tells of."""
    for _ in range(_CAUSES):
        if isinstance(failure, HfHubHTTPError) and failure.response is not None:
            return int(failure.response.status_code)
        failure = failure and (failure.__cause__ or failure.__context__)
    return None


def _matches(file: Path, digest: str) -> bool:
    if len(digest) == _SHA256:
        return digest_of(file) == digest
    if len(digest) == _SHA1:
        content = file.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == digest
    return True
