"""What can be configured: small frozen groups, units in the names, and beside each number why it is that number.

Reading the environment is `load_settings.py`'s job; what concerns engines stands in `engine_settings.py`.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from infrastructure.engine_settings import Asr, DiarizationSettings, Engines, Models

PROJECT = Path(__file__).resolve().parent.parent


class Api(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the HTTP API listens."""

    host: Annotated[str, Meta(description="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="TCP port; 0 picks a free one.")] = 8000


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one caller or one recording may cost."""

    file_size: Annotated[int, Meta(ge=1, description="Largest upload, in bytes (500 MB).")] = 524_288_000
    duration: Annotated[int, Meta(ge=1, le=360_000, description="Longest recording, in seconds (8 hours).")] = 28_800
    workers: Annotated[
        int,
        Meta(ge=1, le=64, description="Tasks in flight at once; they share one child process for each engine."),
    ] = 2


class S3(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The object store of `BLOB_URL=s3://BUCKET`."""

    endpoint: Annotated[
        str, Meta(pattern=r"^([A-Za-z0-9.-]+(:\d+)?)?$", description="Its host, or host:port; needed for s3://.")
    ] = ""
    access_key: Annotated[str, Meta(description="Access key id.")] = ""
    secret_key: Annotated[str, Meta(description="Secret access key.", extra={"secret": True})] = ""
    region: Annotated[str, Meta(min_length=1, description="Region, as the store names it.")] = "us-east-1"
    secure: Annotated[bool, Meta(description="Whether it is spoken to over TLS.")] = True


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of the running service."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severity that is written.")
    ] = "info"
    format: Annotated[Literal["console", "json"], Meta(description="For people, or one JSON object a line.")] = (
        "console"
    )


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one process."""

    data_dir: Annotated[
        str, Meta(min_length=1, description="Folder for the database, recordings, transcripts and work files.")
    ] = str(PROJECT / "data")
    database_url: Annotated[
        str,
        Meta(
            pattern=r"^((sqlite\+aiosqlite:///|postgresql\+psycopg://).+)?$",
            description="`postgresql+psycopg://…`, or `sqlite+aiosqlite:///PATH`; empty means SQLite in DATA_DIR.",
        ),
    ] = ""
    blob_url: Annotated[
        str,
        Meta(
            pattern=r"^(file:///.+|s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$",
            description="`s3://BUCKET`, or `file:///PATH`; empty means the folder DATA_DIR/blobs.",
        ),
    ] = ""
    queue_url: Annotated[Literal["", "memory://"], Meta(description="Empty means a queue inside the process.")] = ""
    s3: S3 = field(default_factory=S3)
    api: Api = field(default_factory=Api)
    max: Limits = field(default_factory=Limits)
    asr: Asr = field(default_factory=Asr)
    diarization: DiarizationSettings = field(default_factory=DiarizationSettings)
    models: Models = field(default_factory=Models)
    engine: Engines = field(default_factory=Engines)
    log: Log = field(default_factory=Log)

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data_dir).expanduser().resolve()

    @property
    def models_dir(self) -> Path:
        """The folder with local models, absolute."""
        return Path(self.models.dir).expanduser().resolve() if self.models.dir else self.data / "models"

    @property
    def blob_dir(self) -> Path:
        """The folder with blobs, absolute; beside an object store it holds uploads while they grow."""
        inside = self.blob_url.removeprefix("file://")
        return self.data / "blobs" if self.bucket or not inside else Path(inside)

    @property
    def bucket(self) -> str:
        """The bucket that holds blobs, empty where a folder does."""
        return self.blob_url.removeprefix("s3://") if self.blob_url.startswith("s3://") else ""

    @property
    def idle_seconds(self) -> float | None:
        """After how long an engine's process ends; None is never."""
        return None if self.engine.idle_seconds == "never" else float(self.engine.idle_seconds)

    @property
    def spool_dir(self) -> Path:
        """Where uploads grow, on the volume of the blobs, so that a finished one is moved and not copied."""
        return self.blob_dir / ".spool"

    @property
    def work_dir(self) -> Path:
        """Where recordings are decoded to."""
        return self.data / "work"

    @property
    def alone(self) -> bool:
        """Whether no other process works on the same tasks: SQLite's file is locked, a server's database is not."""
        return not self.database_url.startswith("postgresql")

    @property
    def sql_url(self) -> str:
        """The database's URL as SQLAlchemy takes it."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data / 'colloquy.sqlite3'}"
