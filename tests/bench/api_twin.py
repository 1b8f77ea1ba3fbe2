"""The same API as people write it: FastAPI, UploadFile, SQLAlchemy's ORM, pydantic models for every answer.

`bench_api` starts it in a process of its own: `python -m tests.bench.api_twin FOLDER PORT TASK KEY`. It asks for a key,
finds its owner in the database as ours does, and keeps recordings and transcripts in files.
"""

import asyncio
import hashlib
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, File, HTTPException, UploadFile
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

FOLDER = Path(sys.argv[1])
engine = create_async_engine(f"sqlite+aiosqlite:///{FOLDER / 'twin.sqlite3'}")
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()
bearer = HTTPBearer()


class Base(DeclarativeBase):
    """Tables."""


class Key(Base):
    """An API key."""

    __tablename__ = "keys"
    digest: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]


class Task(Base):
    """A task."""

    __tablename__ = "tasks"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    progress: Mapped[float]
    phase: Mapped[str]
    filename: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    duration: Mapped[float | None]
    error: Mapped[str | None]


class TaskOut(BaseModel):
    """A task's status."""

    task_id: uuid.UUID
    status: str
    progress: int
    phase: str
    filename: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    error: str | None


class WordOut(BaseModel):
    """A word."""

    text: str
    start: float
    end: float
    confidence: float | None
    speaker: str | None
    overlap: bool
    timing: str
    alternatives: list[Any] | None = None


class SegmentOut(BaseModel):
    """A segment."""

    start: float
    end: float
    speaker: str | None
    text: str
    language: str | None
    channel: int | None
    quality: dict[str, Any] | None
    words: list[WordOut]


class ResultOut(BaseModel):
    """A transcript."""

    task_id: uuid.UUID
    revision: int
    status: str
    language: str | None
    model: str
    duration: float
    media: dict[str, Any]
    segments: list[SegmentOut]
    full_text: str
    processing_time: float
    speakers: dict[str, Any]
    turns: list[dict[str, Any]]
    suspect_spans: list[dict[str, Any]]
    uncovered_speech: list[dict[str, Any]]
    moves: list[dict[str, Any]]
    stages: list[dict[str, Any]]
    warnings: list[dict[str, Any]]


class Accepted(BaseModel):
    """A recording was accepted."""

    task_id: uuid.UUID
    status: str
    message: str


async def session() -> AsyncIterator[AsyncSession]:
    """A session for a request."""
    async with sessions() as made:
        yield made


Session = Annotated[AsyncSession, Depends(session)]


async def current_owner(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)], db: Session) -> str:
    """Find the caller."""
    digest = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    key = (await db.execute(select(Key).where(Key.digest == digest))).scalar_one_or_none()
    if key is None:
        raise HTTPException(status_code=401)
    return key.owner


Owner = Annotated[str, Depends(current_owner)]


async def find(db: AsyncSession, task_id: uuid.UUID, owner: str) -> Task:
    """Find the owner's task."""
    task = (await db.execute(select(Task).where(Task.id == str(task_id)))).scalar_one_or_none()
    if task is None or task.owner != owner:
        raise HTTPException(status_code=404)
    return task


@app.post("/api/v1/transcribe", status_code=202)
async def transcribe(file: Annotated[UploadFile, File()], owner: Owner, db: Session) -> Accepted:
    """Take a recording in."""
    task_id = uuid.uuid4()  # noqa: TID251 - as people write it
    with (FOLDER / f"{task_id}.media").open("wb") as target:
        await asyncio.to_thread(shutil.copyfileobj, file.file, target)
    now = datetime.now(UTC)  # noqa: TID251 - as people write it
    db.add(Task(id=str(task_id), owner=owner, status="queued", progress=0, phase="waiting",
                filename=file.filename or "", created_at=now))  # fmt: skip
    await db.commit()
    return Accepted(task_id=task_id, status="queued", message="Task successfully created")


@app.get("/api/v1/status/{task_id}")
async def status(task_id: uuid.UUID, owner: Owner, db: Session) -> TaskOut:
    """Tell where a task stands."""
    task = await find(db, task_id, owner)
    return TaskOut(
        task_id=task_id, status=task.status, progress=int(task.progress * 100), phase=task.phase,
        filename=task.filename, created_at=task.created_at, started_at=task.started_at, finished_at=task.finished_at,
        duration_seconds=task.duration, error=task.error,
    )  # fmt: skip


@app.get("/api/v1/result/{task_id}")
async def result(task_id: uuid.UUID, owner: Owner, db: Session) -> ResultOut:
    """Give the transcript."""
    await find(db, task_id, owner)
    return ResultOut.model_validate_json((FOLDER / f"{task_id}.json").read_bytes())


async def prepare(task_id: str, key: str) -> None:
    """Make the tables, a key, and a finished task; its transcript lies in the folder."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as db:
        now = datetime.now(UTC)  # noqa: TID251 - as people write it
        db.add(Key(digest=hashlib.sha256(key.encode()).hexdigest(), owner="owner"))
        db.add(Task(id=task_id, owner="owner", status="done", progress=1.0, phase="finishing", filename="day.wav",
                    created_at=now, started_at=now, finished_at=now, duration=28_800.0))  # fmt: skip
        await db.commit()


if __name__ == "__main__":
    asyncio.run(prepare(sys.argv[3], sys.argv[4]))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
