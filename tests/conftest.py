"""What every test shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitMQServer
from tests.servers.redis import RedisServer
from tests.servers.s3 import S3Server

pytest.register_assert_rewrite("tests.contracts")

# The small Whisper of the tests is so small that another rounding of eight-bit sums changes its words. CTranslate2
# takes MKL's sums only on Intel's processors unless it is told; with them it hears the same on all of x86.
os.environ.setdefault("CT2_USE_MKL", "1")  # noqa: TID251 - not a setting of ours
# Services under test are started without it: that they are quiet is their own doing, see O-06.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # noqa: TID251 - as above


def _optional_folder(variable: str) -> Path:
    value = os.environ.get(variable)  # noqa: TID251 - an optional path for measurements, not a setting
    if not value:
        pytest.skip(f"{variable} is not set")
    return Path(value)


@pytest.fixture(scope="session")
def speech() -> Path:
    """A folder of real speech with references: audio beside RTTM and STM files of the same name."""
    return _optional_folder("COLLOQUY_TEST_SPEECH")


@pytest.fixture(scope="session")
def small_models() -> Path:
    """A folder of small trained models: `small-whisper` is a CTranslate2 Whisper."""
    return _optional_folder("COLLOQUY_TEST_MODELS")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A private PostgreSQL server for the whole run; each test makes databases of its own in it."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A private S3 store for the whole run; each test has a bucket of its own."""
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    """A private Redis server for the whole run, never killed: tests that kill one make their own."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQServer]:
    """A private RabbitMQ server for the whole run, which takes ten seconds to start; never killed."""
    with RabbitMQServer() as server:
        yield server
