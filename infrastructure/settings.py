"""What can be configured: small frozen groups, units in the names, and beside each number why it is that number.

Reading the environment is `load_settings.py`'s job; what concerns engines stands in `engine_settings.py`.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from domain.task import Retention
from infrastructure.access_settings import Auth, is_loopback
from infrastructure.audit_settings import Audit
from infrastructure.database_settings import DatabaseSettings
from infrastructure.encryption_settings import Encryption
from infrastructure.engine_settings import Asr, DiarizationSettings, Engines, Models
from infrastructure.limit_settings import QuotaSettings, RateSettings
from infrastructure.log_settings import Log, Otel
from infrastructure.metrics_settings import MetricsSettings

PROJECT = Path(__file__).resolve().parent.parent
FOREVER = "forever"
_AGE = rf"^({FOREVER}|0|[1-9][0-9]{{0,5}}[smhd])$"
_SOME_AGE = rf"^({FOREVER}|[1-9][0-9]{{0,5}}[smhd])$"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_CLASS = "^[a-z][a-z0-9_-]{0,31}$"


class Api(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the HTTP API listens."""

    host: Annotated[str, Meta(description="Address to listen on; loopback unless you say otherwise.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535, description="TCP port; 0 picks a free one.")] = 8000
    trusted_proxies: Annotated[
        str,
        Meta(
            max_length=4_000,
            description="Networks, separated by commas, of the proxies before this service, such as `10.0.0.0/8`: only "
            "their `X-Forwarded-For` says where a request comes from.",
        ),
    ] = ""
    # OpenAI's own client gives up after 600 seconds, and would send the recording again.
    sync_seconds: Annotated[
        float,
        Meta(
            gt=0, le=3_600,
            description="How long a call under `/v1/audio` waits for its text; what takes longer is answered 202.",
        ),
    ] = 540.0  # fmt: skip
    # Behind nothing, a moment in which nobody is refused; a balancer needs as long as it takes to notice.
    drain_seconds: Annotated[
        float,
        Meta(
            ge=0, le=300,
            description="How long requests are still taken after SIGTERM, while `/health/ready` already answers 503.",
        ),
    ] = 1.0  # fmt: skip


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one caller or one recording may cost."""

    file_size: Annotated[int, Meta(ge=1, description="Largest upload, in bytes (500 MB).")] = 524_288_000
    duration: Annotated[int, Meta(ge=1, le=360_000, description="Longest recording, in seconds (8 hours).")] = 28_800
    # One that waits for an engine costs a thread and a read a second; with two, two long ones would shut out the rest.
    workers: Annotated[
        int,
        Meta(
            ge=1, le=64,
            description="Tasks in flight in a process; how many calls of an engine run at once is ENGINE_CONCURRENCY's "
            "to say. Each keeps its decoded audio on disk, 115 MB an hour.",
        ),
    ] = 8  # fmt: skip
    # More than a night's work for most, and whose turn it is among so many is found in milliseconds.
    queued: Annotated[
        int, Meta(ge=1, description="Tasks that may wait at once; beyond, uploads are refused with 429.")
    ] = 10_000
    queued_per_owner: Annotated[int, Meta(ge=1, description="Tasks of one owner that may wait at once.")] = 1_000


class Least(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be left of the machine."""

    # What is accepted must also be decoded, beside all that runs already; a file system slows down when it is fuller.
    free_percent: Annotated[
        float,
        Meta(ge=0, lt=100, description="Free part of the volume of recordings below which uploads get 507."),
    ] = 5.0


class S3(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The object store of `BLOB_URL=s3://BUCKET`."""

    endpoint: Annotated[
        str, Meta(pattern=r"^([A-Za-z0-9.-]+(:\d+)?)?$", description="Its host, or host:port; needed for s3://.")
    ] = ""
    access_key: Annotated[str, Meta(description="Access key id.")] = ""
    secret_key: Annotated[str, Meta(description="Secret access key.", extra={"secret": True})] = ""
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[A-Za-z0-9.-]+(:\d+)?)?$",
            description="Its address as clients reach it; then large uploads and downloads need not pass through here.",
        ),
    ] = ""
    region: Annotated[str, Meta(min_length=1, description="Region, as the store names it.")] = "us-east-1"
    secure: Annotated[bool, Meta(description="Whether it is spoken to over TLS.")] = True


class Worker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`colloquy worker`."""

    device_class: Annotated[
        str, Meta(pattern=_CLASS, description="Queue that this worker listens to: one of WORKER_DEVICE_CLASSES.")
    ] = "cpu"
    device_classes: Annotated[
        str,
        Meta(
            pattern=f"{_CLASS[:-1]}(,{_CLASS[1:-1]})*$",
            description="All classes of workers, separated by commas; each is rung for every task, the first takes it.",
        ),
    ] = "cpu"
    # A question costs the database a millisecond; a thousand workers that ask every second are all it can answer.
    poll_seconds: Annotated[
        float,
        Meta(
            ge=0.1, le=300,
            description="How often each idle slot asks the database for work that no bell told it of; more for "
            "hundreds of workers.",
        ),
    ] = 1.0  # fmt: skip
    sweeps: Annotated[
        bool,
        Meta(
            description="Whether a worker sweeps too; `false` for hundreds of them, beside `colloquy sweeper` or "
            "`colloquy serve`."
        ),
    ] = True


class Keep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long what belongs to an ended task is kept; a task keeps what was configured when it was handed in."""

    # For ever, because what people stored themselves ought not to vanish by a default that they have never read.
    media: Annotated[
        str,
        Meta(
            pattern=_AGE,
            description="Age at which recordings are removed: `24h`, `30d`, … `0` is at the end; or `forever`.",
        ),
    ] = FOREVER
    transcripts: Annotated[
        str, Meta(pattern=_AGE, description="Age at which whole tasks are removed, transcripts and all; as above.")
    ] = FOREVER
    clips: Annotated[
        str,
        Meta(
            pattern=_SOME_AGE,
            description="Age, from when they came, at which clips are removed; their tasks keep the recording.",
        ),
    ] = FOREVER
    # Long enough for what is only found out at the yearly audit; not for ever, because it says what people did.
    audit: Annotated[
        str, Meta(pattern=rf"^({FOREVER}|[1-9][0-9]{{0,4}}d)$", description="Age at which the audit log forgets.")
    ] = "400d"


class EgressSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where requests may go that callers ask for: recordings by URL, and webhooks."""

    # Nothing private by default: whoever may name a URL would reach whatever this machine can.
    allow: Annotated[
        str,
        Meta(
            description="Networks (`10.0.0.0/8`), addresses and host names, separated by commas, that are allowed "
            "beside public addresses."
        ),
    ] = ""
    ports: Annotated[
        str,
        Meta(
            pattern=r"^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$",
            description="TCP ports and ranges of them that may be connected to; services that are no web servers have "
            "most of those under 1024.",
        ),
    ] = "80,443,1024-65535"


class FetchSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recordings by URL; the largest is MAX_FILE_SIZE."""

    # Half a gigabyte takes as long over a line of one megabit a second.
    seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="How long fetching one recording may take, in seconds.")
    ] = 3600.0


class Webhooks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Telling callers of events."""

    allow_http: Annotated[
        bool, Meta(description="Whether webhooks may be sent over plain HTTP, which anybody on the way can read.")
    ] = False


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
    queue_url: Annotated[
        str,
        Meta(
            pattern=r"^(memory://|(rediss?|amqps?)://.+)?$",
            description="`redis://…` or `amqp://…` (or with TLS: `rediss`, `amqps`) wakes workers on any machine, and "
            "`colloquy serve` only serves; empty or `memory://` means that it does the work itself.",
        ),
    ] = ""
    events_url: Annotated[
        str,
        Meta(
            pattern=r"^((rediss?|unix)://.+)?$",
            description="Redis that carries progress between processes; empty means that of QUEUE_URL, if it is one.",
        ),
    ] = ""
    installation_secret: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9+/]{4}){10,}([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=)$|^$",
            description="32 random bytes or more in base64, the same for every process; it signs sessions and encrypts "
            "secrets. Empty means a file in DATA_DIR, but on PostgreSQL it must be set for these.",
            extra={"secret": True},
        ),
    ] = ""
    anonymous: Annotated[
        Literal["no", "local"],
        Meta(
            description="`local` takes whoever shows no key for this machine's own user, who may read and write; only "
            "with a loopback API_HOST."
        ),
    ] = "no"
    auth: Auth = field(default_factory=Auth)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    s3: S3 = field(default_factory=S3)
    api: Api = field(default_factory=Api)
    max: Limits = field(default_factory=Limits)
    min: Least = field(default_factory=Least)
    limit: RateSettings = field(default_factory=RateSettings)
    quota: QuotaSettings = field(default_factory=QuotaSettings)
    asr: Asr = field(default_factory=Asr)
    diarization: DiarizationSettings = field(default_factory=DiarizationSettings)
    models: Models = field(default_factory=Models)
    engine: Engines = field(default_factory=Engines)
    retention: Keep = field(default_factory=Keep)
    encryption: Encryption = field(default_factory=Encryption)
    audit: Audit = field(default_factory=Audit)
    log: Log = field(default_factory=Log)
    otel: Otel = field(default_factory=Otel)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    worker: Worker = field(default_factory=Worker)
    egress: EgressSettings = field(default_factory=EgressSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    webhooks: Webhooks = field(default_factory=Webhooks)

    @property
    def registration_open(self) -> bool:
        """Whether anybody may register as a user."""
        return self.auth.registration == "open" or (self.auth.registration == "auto" and is_loopback(self.api.host))

    @property
    def broker_url(self) -> str:
        """The broker that wakes workers, empty where this process does the work."""
        return self.queue_url.removeprefix("memory://")

    @property
    def kept(self) -> Retention:
        """What a task that is handed in now is promised."""
        return Retention(media=_age(self.retention.media), transcript=_age(self.retention.transcripts))

    @property
    def clips_kept(self) -> timedelta | None:
        """For how long a clip that comes now is kept; None is for ever."""
        return _age(self.retention.clips)

    @property
    def audit_kept(self) -> timedelta | None:
        """For how long an entry of the audit log is kept; None is for ever."""
        return _age(self.retention.audit)

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
    def resumable_dir(self) -> Path:
        """Where uploads that come in pieces grow, on that volume too."""
        return self.blob_dir / ".resumable"

    @property
    def work_dir(self) -> Path:
        """Where recordings are decoded to."""
        return self.data / "work"

    @property
    def pulse_dir(self) -> Path:
        """Where the processes of this machine give their signs of life."""
        return self.data / "pulse"

    @property
    def log_folder(self) -> Path | None:
        """The folder of log files, absolute; None where there are none."""
        return Path(self.log.folder).expanduser().resolve() if self.log.folder else None

    @property
    def alone(self) -> bool:
        """Whether no other process works on the same tasks: SQLite's file is locked, a server's database is not."""
        return not self.database_url.startswith("postgresql")

    @property
    def events_redis(self) -> str:
        """The Redis that carries progress events, empty where they stay in this process."""
        return self.events_url or (self.queue_url if self.queue_url.startswith("redis") else "")

    @property
    def sql_url(self) -> str:
        """The database's URL as SQLAlchemy takes it."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data / 'colloquy.sqlite3'}"


def _age(text: str) -> timedelta | None:
    if text == FOREVER:
        return None
    return timedelta() if text == "0" else timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
