"""What settings must not say together, or of this machine: each a sentence that begins with a variable to change.

It looks at no server and reads no file: it is asked at every start, and by every command.
"""

import os
import re
from collections.abc import Collection, Iterator
from datetime import timedelta
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from adapters.scripted.script import Script
from domain.errors import InvalidOptions
from infrastructure.egress import egress_policy
from infrastructure.engine_settings import Asr
from infrastructure.settings import Settings

_ON_CPU = frozenset({"acoustic", "pyannote_onnx", "sherpa_onnx"})
"""Diarizers that know nothing of GPUs."""
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?")
_SQLITE = "sqlite+aiosqlite:///"


def contradictions(settings: Settings, given: Collection[str]) -> Iterator[str]:
    """Say what is wrong; of two limits that differ only by a default nobody chose, nothing is said: see `given`."""
    if not _ADDRESS.fullmatch(settings.api.host):
        yield f"API_HOST: {settings.api.host!r} is no address or host name"
    if settings.metrics.port and (settings.metrics.port == settings.api.port):
        yield "METRICS_PORT must not be API_PORT"
    if settings.otel.exporter_otlp_endpoint and not _installed("opentelemetry.sdk"):
        yield "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra `otel`, which is not installed"
    yield from _not_networks(settings.api.trusted_proxies)
    yield from _missing_for_s3(settings)
    yield from settings.encryption.problems(public_url=settings.s3.public_url)
    yield from _unreadable_egress(settings)
    yield from _wrong_for_workers(settings)
    yield from _wrong_scripts(settings)
    yield from _wrong_for_engines(settings, given)
    yield from _wrong_for_remote(settings.asr, settings.engine.stall_seconds)
    yield from _unreachable_limits(settings, given)
    yield from _unreadable_addresses(settings)
    yield from _wrong_folders(settings)


def _wrong_scripts(settings: Settings) -> Iterator[str]:
    for name, group in (("ASR", settings.asr), ("DIARIZATION", settings.diarization)):
        try:
            Script.parse(group.script)
        except InvalidOptions as error:
            yield f"{name}_SCRIPT: {error.detail}"
        if group.script and group.engine != "scripted":
            yield f"{name}_SCRIPT is only for {name}_ENGINE=scripted, which is {group.engine}"


def _wrong_for_engines(settings: Settings, given: Collection[str]) -> Iterator[str]:
    asr, diarization = settings.asr, settings.diarization
    if asr.engine in {"pocketsphinx", "sherpa_onnx"} and asr.device.startswith("cuda"):
        yield f"ASR_DEVICE: {asr.engine} runs on the CPU only"
    if diarization.engine in _ON_CPU and diarization.device.startswith("cuda"):
        yield f"DIARIZATION_DEVICE: {diarization.engine} runs on the CPU only"
    if asr.device == "cpu" and "float16" in asr.compute_type:
        yield f"ASR_COMPUTE_TYPE: {asr.compute_type} needs a GPU, but ASR_DEVICE is cpu"
    if diarization.mode == "fast" and diarization.engine not in {"auto", "pyannote_onnx"}:
        yield f"DIARIZATION_MODE: fast is only for DIARIZATION_ENGINE=pyannote_onnx, which is {diarization.engine}"
    if settings.engine.idle_seconds == "0" and settings.engine.preload and "ENGINE_PRELOAD" in given:
        yield "ENGINE_PRELOAD: with ENGINE_IDLE_SECONDS=0 a model does not stay loaded"


def _wrong_for_remote(asr: Asr, stall_seconds: float) -> Iterator[str]:
    if asr.engine == "openai_compatible":
        if not asr.remote.url:
            yield "ASR_REMOTE_URL is needed by ASR_ENGINE=openai_compatible"
        if asr.remote.patience_seconds >= stall_seconds:
            yield "ASR_REMOTE_PATIENCE_SECONDS must be less than ENGINE_STALL_SECONDS"
        if asr.remote.timeout_seconds > asr.remote.patience_seconds:
            yield "ASR_REMOTE_TIMEOUT_SECONDS must not exceed ASR_REMOTE_PATIENCE_SECONDS"
    elif asr.remote.url:
        yield f"ASR_REMOTE_URL is only for ASR_ENGINE=openai_compatible, which is {asr.engine}"


def _unreachable_limits(settings: Settings, given: Collection[str]) -> Iterator[str]:
    most, quota = settings.max, settings.quota.quota
    media, transcripts = settings.kept.media, settings.kept.transcript
    if settings.engine.window_seconds > most.duration:
        yield "ENGINE_WINDOW_SECONDS must not exceed MAX_DURATION"
    pairs = [
        ("MAX_QUEUED_PER_OWNER", most.queued_per_owner, "MAX_QUEUED", most.queued, "must not exceed"),
        ("ENGINE_CONCURRENCY", settings.engine.concurrency, "MAX_WORKERS", most.workers, "must not exceed"),
        ("MAX_FILE_SIZE", most.file_size, "QUOTA_BYTES", quota.bytes, "is more than anybody may hand in by"),
        (
            "MAX_DURATION",
            most.duration / 60,
            "QUOTA_AUDIO_MINUTES",
            quota.audio_minutes,
            "is more than anybody gets by",
        ),
    ]
    for name, value, other, limit, what in pairs:
        if limit and value > limit and {name, other} <= set(given):
            yield f"{name} {what} {other}"
    if transcripts is not None and (media or timedelta()) > transcripts and "RETENTION_MEDIA" in given:
        yield "RETENTION_MEDIA must not exceed RETENTION_TRANSCRIPTS, with which recordings go too"


def _unreadable_addresses(settings: Settings) -> Iterator[str]:
    addresses = {
        "DATABASE_URL": settings.database_url, "QUEUE_URL": settings.broker_url, "EVENTS_URL": settings.events_url,
        "ASR_REMOTE_URL": settings.asr.remote.url, "MODELS_HUB_URL": settings.models.hub_url,
    }  # fmt: skip
    for name, address in addresses.items():
        try:
            port, host = urlsplit(address).port, urlsplit(address).hostname
        except ValueError:
            port, host = 0, None
        if address and (port == 0 or (host is None and not address.startswith(("sqlite", "postgresql", "unix")))):
            yield f"{name}: it names no host and port; what of /:@?#[] a password has is written %2F, %3A, …"


def _wrong_folders(settings: Settings) -> Iterator[str]:
    folders = {"DATA_DIR": settings.data, "BLOB_URL": settings.blob_dir, "MODELS_DIR": settings.models_dir}
    for name, folder in folders.items():
        writes = name != "MODELS_DIR"  # weights may be mounted for reading alone
        if os.access(folder, os.F_OK) and not folder.is_dir():
            yield f"{name}: {folder} is no folder"
        elif os.access(folder, os.F_OK) and not os.access(folder, os.R_OK | os.X_OK | (os.W_OK if writes else 0)):
            yield f"{name}: this user may not {'write to' if writes else 'read'} {folder}"
    if (file := Path(settings.database_url.removeprefix(_SQLITE))).is_dir() and settings.database_url:
        yield f"DATABASE_URL: {file} is a folder, and the database is a file"


def _wrong_for_workers(settings: Settings) -> Iterator[str]:
    if settings.broker_url and settings.alone:
        yield "QUEUE_URL needs DATABASE_URL=postgresql+psycopg://…: SQLite serves one process only"
    if settings.worker.device_class not in settings.worker.device_classes.split(","):
        yield f"WORKER_DEVICE_CLASS: {settings.worker.device_class} is none of WORKER_DEVICE_CLASSES"
    if settings.events_url and settings.alone:
        yield "EVENTS_URL carries progress between processes, but SQLite serves one: set DATABASE_URL too"


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its beginning
        return False


def _not_networks(proxies: str) -> Iterator[str]:
    for each in filter(None, map(str.strip, proxies.split(","))):
        try:
            ip_network(each, strict=False)
        except ValueError:
            yield f"API_TRUSTED_PROXIES: {each!r} is no network such as 10.0.0.0/8"


def _unreadable_egress(settings: Settings) -> Iterator[str]:
    try:
        egress_policy(settings)
    except ValueError as error:
        yield f"EGRESS_ALLOW or EGRESS_PORTS: {error}"


def _missing_for_s3(settings: Settings) -> Iterator[str]:
    s3 = settings.s3
    if not settings.bucket:
        for name, value in (("ENDPOINT", s3.endpoint), ("PUBLIC_URL", s3.public_url)):
            if value:
                yield f"S3_{name} is only for BLOB_URL=s3://BUCKET, which is {settings.blob_url or 'empty'}"
        return
    for name, value in (("ENDPOINT", s3.endpoint), ("ACCESS_KEY", s3.access_key), ("SECRET_KEY", s3.secret_key)):
        if not value:
            yield f"S3_{name} is needed by BLOB_URL={settings.blob_url}"
