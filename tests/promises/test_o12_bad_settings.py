"""O-12: a configuration that is wrong, misspelt or contradicts itself ends the start at once, with everything named."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.load_settings import BadSettings, load_settings
from tests.e2e.service import environment

COLLOQUY = Path(sys.executable).with_name("colloquy")
BAD_SETTINGS = 78
MOST_SECONDS = 2.0
POSTGRES = {"DATABASE_URL": "postgresql+psycopg://colloquy:hush@db/colloquy"}
S3 = {"BLOB_URL": "s3://recordings", "S3_ENDPOINT": "s3:9000", "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "hush"}
REMOTE = {"ASR_ENGINE": "openai_compatible", "ASR_REMOTE_URL": "http://box.lan:8001/v1"}


def without(settings: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in settings.items() if key != name}


BAD: list[tuple[dict[str, str], str]] = [
    # Misspelt
    ({"ASR_ENGIN": "auto"}, "ASR_ENGIN: there is no such setting; did you mean ASR_ENGINE?"),
    ({"DATABASE_UR": "x"}, "DATABASE_UR: there is no such setting; did you mean DATABASE_URL?"),
    ({"MAX_FILESIZE": "1"}, "MAX_FILESIZE: there is no such setting; did you mean MAX_FILE_SIZE?"),
    ({"RETENTION_TRANSCRIPT": "1d"}, "RETENTION_TRANSCRIPT: there is no such setting; did you mean"),
    ({"S3_SECRETKEY": "hush"}, "S3_SECRETKEY: there is no such setting; did you mean S3_SECRET_KEY?"),
    ({"DIARIZATION_SPEED": "9"}, "DIARIZATION_SPEED: there is no such setting"),
    ({"COLLOQUY_PORT": "9"}, "COLLOQUY_PORT: there is no such setting"),
    ({"MODELS_DOWNLOADS": "no"}, "MODELS_DOWNLOADS: there is no such setting; did you mean MODELS_DOWNLOAD?"),
    # Of the wrong kind, or out of range
    ({"ASR_ENGINE": "whisper"}, "ASR_ENGINE: "),
    ({"DIARIZATION_ENGINE": "PYANNOTE"}, "DIARIZATION_ENGINE: "),
    ({"API_PORT": "eighty"}, "API_PORT: "),
    ({"API_PORT": "65536"}, "API_PORT: "),
    ({"API_PORT": ""}, "API_PORT: "),
    ({"API_HOST": ""}, "API_HOST: "),
    ({"API_HOST": "http://0.0.0.0"}, "API_HOST: "),
    ({"MAX_FILE_SIZE": "500MB"}, "MAX_FILE_SIZE: "),
    ({"MAX_DURATION": "-1"}, "MAX_DURATION: "),
    ({"MAX_WORKERS": "0"}, "MAX_WORKERS: "),
    ({"MIN_FREE_PERCENT": "nan"}, "MIN_FREE_PERCENT: "),
    ({"ENGINE_STALL_SECONDS": "inf"}, "ENGINE_STALL_SECONDS: it must be a number that ends"),
    ({"S3_SECURE": "maybe"}, "S3_SECURE: "),
    ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: "),
    ({"RETENTION_MEDIA": "30 days"}, "RETENTION_MEDIA: "),
    ({"RETENTION_CLIPS": "0"}, "RETENTION_CLIPS: "),
    ({"QUOTA_BYTES": "5GB"}, "QUOTA_BYTES: "),
    ({"INSTALLATION_SECRET": "too short"}, "INSTALLATION_SECRET: "),
    ({"DATABASE_URL": "mysql://db/colloquy"}, "DATABASE_URL: "),
    ({"BLOB_URL": "s3://Bucket_Of_Mine"}, "BLOB_URL: "),
    ({"QUEUE_URL": "kafka://broker"}, "QUEUE_URL: "),
    # Cannot be read as what it should be
    ({"API_TRUSTED_PROXIES": "10.0.0.0/8, proxy"}, "API_TRUSTED_PROXIES: 'proxy'"),
    ({"EGRESS_PORTS": "80-79"}, "EGRESS_ALLOW or EGRESS_PORTS: "),
    (POSTGRES | {"QUEUE_URL": "redis://:hush/hush@broker:6379"}, "QUEUE_URL: it names no host and port"),
    (POSTGRES | {"QUEUE_URL": "amqp://broker:port"}, "QUEUE_URL: it names no host and port"),
    ({"DATABASE_URL": "postgresql+psycopg://me:hush@db:5432x/c"}, "DATABASE_URL: it names no host and port"),
    ({"DATABASE_URL": "sqlite+aiosqlite:////"}, "DATABASE_URL: / is a folder"),
    ({"DATA_DIR": __file__}, "DATA_DIR: "),
    ({"BLOB_URL": f"file://{__file__}"}, "BLOB_URL: "),
    ({"MODELS_DIR": __file__}, "MODELS_DIR: "),
    ({"ASR_SCRIPT": "explode@noon", "ASR_ENGINE": "scripted"}, "ASR_SCRIPT: "),
    # Contradict each other
    (without(S3, "S3_ENDPOINT"), "S3_ENDPOINT is needed by BLOB_URL=s3://recordings"),
    (without(S3, "S3_ACCESS_KEY"), "S3_ACCESS_KEY is needed by"),
    (without(S3, "S3_SECRET_KEY"), "S3_SECRET_KEY is needed by"),
    (without(S3, "BLOB_URL") | {"BLOB_URL": "file:///srv/blobs"}, "S3_ENDPOINT is only for BLOB_URL=s3://BUCKET"),
    ({"S3_PUBLIC_URL": "https://s3.example"}, "S3_PUBLIC_URL is only for BLOB_URL=s3://BUCKET, which is empty"),
    ({"QUEUE_URL": "redis://:hush@broker"}, "QUEUE_URL needs DATABASE_URL=postgresql+psycopg://"),
    ({"EVENTS_URL": "redis://:hush@broker"}, "EVENTS_URL carries progress between processes"),
    ({"WORKER_DEVICE_CLASS": "cuda"}, "WORKER_DEVICE_CLASS: cuda is none of WORKER_DEVICE_CLASSES"),
    ({"METRICS_PORT": "8000"}, "METRICS_PORT must not be API_PORT"),
    ({"MAX_QUEUED": "100", "MAX_QUEUED_PER_OWNER": "101"}, "MAX_QUEUED_PER_OWNER must not exceed MAX_QUEUED"),
    ({"ENGINE_CONCURRENCY": "3", "MAX_WORKERS": "2"}, "ENGINE_CONCURRENCY must not exceed MAX_WORKERS"),
    ({"MAX_FILE_SIZE": "1000", "QUOTA_BYTES": "999"}, "MAX_FILE_SIZE is more than anybody may hand in"),
    ({"MAX_DURATION": "3601", "QUOTA_AUDIO_MINUTES": "60"}, "MAX_DURATION is more than anybody gets"),
    ({"RETENTION_MEDIA": "2d", "RETENTION_TRANSCRIPTS": "1d"}, "RETENTION_MEDIA must not exceed"),
    ({"ENGINE_WINDOW_SECONDS": "61", "MAX_DURATION": "60"}, "ENGINE_WINDOW_SECONDS must not exceed MAX_DURATION"),
    ({"ENGINE_PRELOAD": "asr", "ENGINE_IDLE_SECONDS": "0"}, "ENGINE_PRELOAD: "),
    ({"ASR_ENGINE": "pocketsphinx", "ASR_DEVICE": "cuda"}, "ASR_DEVICE: pocketsphinx runs on the CPU only"),
    ({"DIARIZATION_ENGINE": "acoustic", "DIARIZATION_DEVICE": "cuda:1"}, "DIARIZATION_DEVICE: acoustic runs"),
    ({"ASR_DEVICE": "cpu", "ASR_COMPUTE_TYPE": "int8_float16"}, "ASR_COMPUTE_TYPE: "),
    ({"ASR_SCRIPT": "sleep:1"}, "ASR_SCRIPT is only for ASR_ENGINE=scripted"),
    ({"DIARIZATION_MODE": "fast", "DIARIZATION_ENGINE": "acoustic"}, "DIARIZATION_MODE: fast is only for"),
    (without(REMOTE, "ASR_REMOTE_URL"), "ASR_REMOTE_URL is needed by"),
    (without(REMOTE, "ASR_ENGINE"), "ASR_REMOTE_URL is only for ASR_ENGINE=openai_compatible"),
    (REMOTE | {"ASR_REMOTE_PATIENCE_SECONDS": "120"}, "ASR_REMOTE_PATIENCE_SECONDS must be less than"),
    (REMOTE | {"ASR_REMOTE_TIMEOUT_SECONDS": "111"}, "ASR_REMOTE_TIMEOUT_SECONDS must not exceed"),
    # Open to others
    ({"API_HOST": "0.0.0.0", "ANONYMOUS": "local"}, "ANONYMOUS: "),  # noqa: S104 - it is refused
]


@pytest.mark.parametrize(("settings", "says"), BAD, ids=[says[:50] for _, says in BAD])
def test_o12_a_bad_configuration_is_refused_with_its_variable_named(settings: dict[str, str], says: str) -> None:
    with pytest.raises(BadSettings) as refused:
        load_settings(settings)
    [problem] = refused.value.problems
    assert problem.startswith(says)
    assert "hush" not in problem


def test_o12_a_limit_that_was_not_chosen_contradicts_nothing() -> None:
    for settings in (
        {"MAX_QUEUED": "10"},
        {"QUOTA_BYTES": "1000"},
        {"MAX_WORKERS": "1"},
        {"RETENTION_TRANSCRIPTS": "1d"},
    ):
        load_settings(settings)


def test_o12_good_configurations_of_every_kind_are_taken() -> None:
    postgres = POSTGRES | {"QUEUE_URL": "amqps://u:p%2Fw@broker:5671/%2F", "EVENTS_URL": "unix:///run/redis.sock"}
    for settings in (postgres, S3, REMOTE, {"API_HOST": "::1"}, {"DATABASE_URL": "postgresql+psycopg:///c?host=/run"}):
        load_settings(settings)


def ended(command: str, data: Path, **settings: str) -> tuple[int, str, float]:
    """How the command ended, what it said, and the seconds of processor it took, which no busy neighbour changes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(
        [COLLOQUY, *command.split()], env=environment(data) | settings, capture_output=True, text=True, check=False,
        timeout=30,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ran.returncode, ran.stdout + ran.stderr, took


@pytest.mark.parametrize("command", ["serve", "worker", "sweeper", "config", "serve --check"])
def test_o12_the_start_fails_at_once_with_the_whole_list(tmp_path: Path, command: str) -> None:
    wrong = {
        "ASR_ENGIN": "auto", "API_PORT": "eighty", "MAX_DURATION": "-1", "MODELS_DIR": "/nowhere",
        "DATABASE_URL": "postgres://me:hush@db/colloquy",
    }  # fmt: skip
    status, said, took = ended(command, tmp_path / "data", **wrong)
    assert status == BAD_SETTINGS
    assert [line.split(":")[1].strip() for line in said.splitlines()] == [
        "ASR_ENGIN", "DATABASE_URL", "API_PORT", "MAX_DURATION",
    ]  # fmt: skip
    assert "hush" not in said
    assert took < MOST_SECONDS
    assert not (tmp_path / "data").exists()


def test_o12_the_configuration_in_force_is_printed_without_its_secrets(tmp_path: Path) -> None:
    secret = {"S3_SECRET_KEY": "hush", "ASR_REMOTE_KEY": "hush"}
    settings = S3 | POSTGRES | secret | {"QUEUE_URL": "redis://:hush@broker/0", "MAX_WORKERS": "3"}
    shown = [ended(command, tmp_path / "data", **settings) for command in ("config", "serve --check")]
    for status, said, _ in shown:
        assert status == 0
        lines = dict(line.split("=", 1) for line in said.splitlines())
        assert (lines["MAX_WORKERS"], lines["S3_SECRET_KEY"]) == ("3", "********")
        assert lines["QUEUE_URL"] == "redis://:********@broker/0"
        assert "hush" not in said
    assert not (tmp_path / "data").exists()
