"""`colloquy serve`: the API and the work in one process, or the API alone, until a signal ends it."""

import asyncio
import socket
import sys
from dataclasses import replace

import structlog
import uvicorn

from application.manage_api_keys import LOCAL_OWNER
from entrypoints.api import Api
from entrypoints.embedded import Embedded
from entrypoints.http.app import create_app
from entrypoints.http.ending import Ending, EndingServer
from entrypoints.http.limits import HttpLimits
from entrypoints.http.server import listen, loop_factory, uvicorn_config
from infrastructure.folders import DataFolderBusy
from infrastructure.log_config import start_logging
from infrastructure.settings import PROJECT, Settings

KEY_NAME = "local"
SAMPLE = PROJECT / "tests" / "data" / "call.flac"
_log = structlog.get_logger()


def serve_embedded(settings: Settings, *, issue_key: bool) -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    start_logging(settings, "api")
    try:
        listener = listen(settings.api.host, settings.api.port)
    except OSError as error:
        print(f"colloquy: cannot listen on {settings.api.host}:{settings.api.port}: {error.strerror}", file=sys.stderr)
        return 1
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(settings, listener, issue_key=issue_key))
    except DataFolderBusy as error:
        print(f"colloquy: {error}", file=sys.stderr)
        return 1
    finally:
        listener.close()


async def _serve(settings: Settings, listener: socket.socket, *, issue_key: bool) -> int:
    async with Api(settings) if settings.broker_url else Embedded(settings) as service:
        limits = HttpLimits(
            spool_dir=service.spool_dir,
            max_upload_bytes=settings.max.file_size,
            min_free_percent=settings.min.free_percent,
            sync_seconds=settings.api.sync_seconds,
        )
        ending, api = Ending(), service.api()
        app = create_app(replace(api, probe=ending.probe(api.probe)), limits, ending)
        server = EndingServer(uvicorn_config(app, limits), ending, settings.api.drain_seconds)
        server.heed_signals()
        greeting = asyncio.create_task(_greet(service, server, listener, issue_key=issue_key))
        await server.serve(sockets=[listener])
        greeting.cancel()
    return 0


async def _greet(service: Api | Embedded, server: uvicorn.Server, listener: socket.socket, *, issue_key: bool) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this flag alone
        await asyncio.sleep(0.01)
    host, port = listener.getsockname()[:2]
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    service.beats.url = base
    _log.info("ready", url=base, docs=f"{base}/docs", asr=service.container.asr_choice().engine,
              diarization=service.container.diarizer_choice().engine)  # fmt: skip
    keys = service.container.manage_api_keys()
    first = not await keys.list()
    if first and isinstance(service, Api):  # what it prints, others may collect
        _log.warning("no_keys", fix="colloquy keys issue NAME")
    if issue_key or (first and isinstance(service, Embedded)):  # who starts it by hand has no other way in
        _, secret = await keys.issue(KEY_NAME, owner=LOCAL_OWNER, replace_named=issue_key)
        print(_welcome(base, secret), flush=True)


def _welcome(base: str, secret: str) -> str:
    auth = f'-H "Authorization: Bearer {secret}"'
    wait = "--fail --retry 100 --retry-delay 1 --retry-all-errors"
    return f"""
Colloquy listens on {base} (documentation: {base}/docs)

API key, shown this once and valid until the next `make run` or `serve --issue-key`:
  {secret}

Try it with the recording that comes along; this prints who said what:
  id=$(curl -sS {auth} -F file=@{SAMPLE} -F num_speakers=2 {base}/api/v1/transcribe | cut -d'"' -f4); \
curl -s {wait} {auth} "{base}/api/v1/result/$id?format=text"
"""
