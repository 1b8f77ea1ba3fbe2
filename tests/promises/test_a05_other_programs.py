"""A-05, in other programs' dialects: somebody else's job or clip is told from none by nothing."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.system import Uuid7Factory
from domain.task import TaskId
from tests.entrypoints.http_service import Api, a_transcript


def routes(api: Api) -> list[tuple[str, str]]:
    """Every operation of a dialect on one thing, from the description; those of the native API have their own test."""
    paths = api.app().openapi_schema.to_schema()["paths"]
    ours = ("{job_id}", "/api/audio/", "/api/transcribe")
    return [
        (method, path)
        for path, item in paths.items()
        for method in item
        if any(part in path for part in ours) and not path.startswith("/api/v1/transcribe")
    ]


@pytest.mark.parametrize("done", [False, True])
async def test_a05_another_owners_job_or_clip_is_none(tmp_path: Path, *, done: bool) -> None:
    api = Api(tmp_path)
    owner, stranger = await api.issue_key("owner"), await api.issue_key("stranger")
    async with api.client() as client:
        submitted = await client.post("/jobs", files={"file": ("a.wav", b"audio")}, headers=owner)
        kept = await client.post("/api/audio", files={"file": ("a.wav", b"audio")}, headers=owner)
        job, clip = submitted.json()["job_id"], kept.json()["clip_id"]
        if done:
            task_id = TaskId(UUID(job))
            await api.finish(task_id, a_transcript(task_id))
        assert len(routes(api)) >= 13
        for method, path in routes(api):

            async def ask(
                job: str, clip: str, headers: dict[str, str], method: str = method, path: str = path
            ) -> dict[str, Any]:
                filled = path.replace("{job_id}", job).replace("{clip_id}", clip)
                query = {} if "{" in path else {"clip_id": clip}
                answer = await client.request(
                    method, filled, params=query, headers=headers | {"x-request-id": "same-id-0"}
                )
                body = answer.text.replace(job, "ID").replace(clip, "ID")
                kept = {name: value for name, value in answer.headers.items() if name != "date"}
                return {"status": answer.status_code, "headers": kept, "body": body}

            nobodys = str(Uuid7Factory().new())
            foreign, none = await ask(job, clip, stranger), await ask(nobodys, nobodys, stranger)
            assert foreign == none, f"{method} {path}"
            assert foreign["status"] == 404, f"{method} {path}: {foreign}"
        assert (await client.get(f"/jobs/{job}", headers=owner)).status_code == 200
        assert (await client.get(f"/api/audio/{clip}", headers=owner)).status_code == 200
