"""A task whose recording must be fetched: once, whatever happens in between; nothing is left of what was given up."""

import asyncio
from pathlib import Path

import pytest

from adapters.cipher import AesGcmCipher
from adapters.scripted.engine import ScriptedEngine
from adapters.scripted.script import Script
from adapters.system import Uuid7Factory
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask
from application.ports.media_fetch import MediaFetcher
from application.ports.system import ProgressSink
from application.query_tasks import QueryTasks
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from application.secret_urls import SecretUrls
from domain.errors import FetchFailed, FetchUnavailable, StorageFull, UrlNotAllowed
from domain.fetching import FetchedMedia, FetchLimits, MediaUrl
from domain.task import Phase, Task, TaskStatus, media_key
from tests.application.installation import OWNER, Installation
from tests.recordings import CONVERSATION

URL = "https://ann:hush@example.org/talks/a%20talk.flac?sig=hush&v=1"
SHOWN = "https://***@example.org/talks/a%20talk.flac?sig=***&v=1"


class Shelf(MediaFetcher):
    """Has one recording; what is in `trouble` is raised first, one at each call."""

    def __init__(self) -> None:
        self.trouble: list[Exception] = []
        self.asked: list[str] = []
        self.silent = False
        self.begun = asyncio.Event()

    async def fetch(self, url: str, into: Path, limits: FetchLimits, on_progress: ProgressSink) -> FetchedMedia:
        del limits
        self.asked.append(url)
        on_progress(0.5)
        self.begun.set()
        if self.silent:
            await asyncio.sleep(3600)
        if self.trouble:
            raise self.trouble.pop(0)
        into.write_bytes(CONVERSATION.read_bytes())
        return FetchedMedia(
            title="AC/DC\x00 live", filename="../b.flac", duration=9_000, media_type="audio/flac",
            size=into.stat().st_size, url=url,
        )  # fmt: skip


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def there(tmp_path: Path, shelf: Shelf) -> Installation:
    return Installation(work=tmp_path, fetcher=shelf)


async def stored(there: Installation, task: Task) -> Task:
    return (await QueryTasks(new_uow=there.new_uow).one(OWNER, task.id)).task


async def blobs(there: Installation) -> list[str]:
    return [key async for key in there.blobs.list("media/")]


async def test_it_is_fetched_and_then_like_any_other(there: Installation, shelf: Shelf) -> None:
    task = await there.submit(MediaUrl(URL))
    assert (task.media.source_url, task.media.filename) == (SHOWN, "a talk.flac")
    assert await blobs(there) == []
    done = await there.again(task)
    assert done.status is TaskStatus.DONE, done.error
    assert shelf.asked == [URL]
    assert done.media.url == ""
    assert (done.title, done.media.filename, done.media.source_url) == ("AC/DC live", "b.flac", SHOWN)
    assert done.media.size == CONVERSATION.stat().st_size
    assert await blobs(there) == [media_key(task.id)]
    assert list(there.work.glob("*.fetch")) == []


async def test_a_forbidden_url_makes_no_task(there: Installation, shelf: Shelf) -> None:
    with pytest.raises(UrlNotAllowed):
        await there.submit(MediaUrl("http://127.0.0.1/a.mp3"))
    assert await QueryTasks(new_uow=there.new_uow).page(OWNER, before=None, limit=9) == []
    assert shelf.asked == []


async def test_what_is_away_is_asked_for_again_and_what_is_not_there_is_not(there: Installation, shelf: Shelf) -> None:
    shelf.trouble = [FetchUnavailable("later"), StorageFull("no room"), FetchFailed("404")]
    task = await there.again(await there.submit(MediaUrl(URL)))
    assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
    assert there.urls.open(task.media.url) == URL
    task = await there.again(task)
    assert (task.status, task.strikes) == (TaskStatus.QUEUED, 1)
    task = await there.again(task)
    assert task.status is TaskStatus.ERROR
    assert task.error is not None
    assert task.error.code == "fetch_failed"


async def test_a_server_that_stays_away_is_not_asked_for_ever(there: Installation, shelf: Shelf) -> None:
    shelf.trouble = [FetchUnavailable("later")] * 9
    task = await there.submit(MediaUrl(URL))
    for _ in range(3):
        task = await there.again(task)
    assert task.status is TaskStatus.ERROR
    assert task.error is not None
    assert task.error.code == "fetch_unavailable"
    assert len(shelf.asked) == 3


async def test_what_was_fetched_is_not_fetched_again(tmp_path: Path, shelf: Shelf) -> None:
    there = Installation(work=tmp_path, fetcher=shelf, engine=ScriptedEngine(Script.parse("raise@1")))
    task = await there.again(await there.submit(MediaUrl(URL)))
    assert task.status is TaskStatus.QUEUED
    assert (await there.again(task)).status is TaskStatus.DONE
    assert len(shelf.asked) == 1


async def test_a_retry_fetches_what_the_first_task_could_not(there: Installation, shelf: Shelf) -> None:
    shelf.trouble = [FetchFailed("404")]
    failed = await there.again(await there.submit(MediaUrl(URL)))
    assert failed.status is TaskStatus.ERROR
    revise = ReviseTask(
        new_uow=there.new_uow, admit=there.admit, queue=there.queue, ids=Uuid7Factory(), diarizer=there.diarizer
    )
    retry = RetryTask(
        new_uow=there.new_uow, admit=there.admit, queue=there.queue, ids=Uuid7Factory(), check=lambda _: None,
        revise=revise,
    )  # fmt: skip
    task = await retry(OWNER, failed.id)
    await DeleteTask(new_uow=there.new_uow, blobs=there.blobs)(OWNER, failed.id)
    done = await there.again(task)
    assert done.status is TaskStatus.DONE, done.error
    assert await blobs(there) == [media_key(task.id)]


async def test_cancelling_ends_the_silence(there: Installation, shelf: Shelf) -> None:
    shelf.silent = True
    task = await there.submit(MediaUrl(URL))
    work = asyncio.ensure_future(there.again(task))
    await shelf.begun.wait()
    assert (await stored(there, task)).phase is Phase.DOWNLOADING
    await CancelTask(new_uow=there.new_uow)(OWNER, task.id)
    assert (await asyncio.wait_for(work, 10)).status is TaskStatus.CANCELLED
    assert await blobs(there) == []
    assert list(there.work.glob("*.fetch")) == []


async def test_deleting_meanwhile_leaves_nothing(there: Installation, shelf: Shelf) -> None:
    shelf.silent = True
    task = await there.submit(MediaUrl(URL))
    work = asyncio.ensure_future(there.process()(task.id))
    await shelf.begun.wait()
    await DeleteTask(new_uow=there.new_uow, blobs=there.blobs)(OWNER, task.id)
    await asyncio.wait_for(work, 10)
    assert await blobs(there) == []
    assert list(there.work.glob("*.fetch")) == []


async def test_its_bytes_are_charged_when_they_are_known(there: Installation) -> None:
    await there.again(await there.submit(MediaUrl(URL)))
    async with there.new_uow() as uow:
        used = await uow.usage.used(OWNER, now=there.clock.now())
    assert (used.requests, used.bytes) == (1, CONVERSATION.stat().st_size)


async def test_what_is_stored_of_a_url_gives_no_secret_away_and_earlier_releases_urls_are_fetched(
    there: Installation, shelf: Shelf
) -> None:
    task = await there.submit(MediaUrl(URL))
    assert task.media.url.startswith("sealed:")
    assert (await there.submit(MediaUrl("https://example.org/a.mp3"))).media.url == "https://example.org/a.mp3"
    await there.again(task)
    assert shelf.asked == [URL]
    assert there.urls.open(URL) == URL
    task = await there.submit(MediaUrl(URL))
    there.urls = SecretUrls(AesGcmCipher(lambda: b"o" * 32))
    failed = await there.again(task)
    assert failed.error
    assert (failed.status, failed.error.code) == (TaskStatus.ERROR, "not_configured")
