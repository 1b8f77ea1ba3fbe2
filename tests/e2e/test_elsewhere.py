"""The same service over PostgreSQL and an object store, by settings alone: speech in, words out, all deleted."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from adapters.storage.s3 import S3BlobStore
from tests.contracts.blob_store import keys_of
from tests.e2e.service import Service
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server

CLIP = Path(__file__).parents[1] / "data" / "conversation.flac"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_recording_goes_through_postgres_and_s3(tmp_path: Path, postgres: PostgresServer, s3: S3Server) -> None:
    bucket = s3.bucket()
    store = S3BlobStore(bucket)
    with postgres.database() as url:
        settings = {
            "DATABASE_URL": url,
            "BLOB_URL": f"s3://{bucket.name}",
            "S3_ENDPOINT": bucket.endpoint,
            "S3_ACCESS_KEY": bucket.access_key,
            "S3_SECRET_KEY": bucket.secret_key,
            "S3_SECURE": "false",
        }
        with Service(tmp_path / "data", **settings) as service:
            task = service.submit(CLIP)
            service.wait(task)
            assert service.result(task, "text").text.count(" ") > 20
            assert [key.split("/")[0] for key in asyncio.run(keys_of(store))] == ["media", "transcripts"]
            with service.client() as client:
                assert client.delete(f"/api/v1/tasks/{task}").status_code == 204
            assert asyncio.run(keys_of(store)) == []
            assert bucket.secret_key not in service.log
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
        assert not (tmp_path / "data" / "colloquy.sqlite3").exists()
