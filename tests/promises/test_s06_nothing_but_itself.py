"""S-06: yt-dlp runs no other program and reads no configuration, plugin, cookies or passwords that lie about.

What is planted leaves a trace when anybody touches it; and the confined process is tried from the inside.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.egress import Egress
from adapters.fetching import ytdlp
from adapters.fetching.ytdlp import YtDlpFetcher
from adapters.fetching.ytdlp_child import Job, options
from domain.egress import EgressPolicy
from tests.contracts.media_fetcher import LIMITS, ignore
from tests.web import CALL, Canary, Page, Web, recording

PUBLIC = EgressPolicy.allowing(["127.0.0.2/32"])
PROGRAMS = [
    "ffmpeg", "ffprobe", "avconv", "aria2c", "curl", "wget", "axel", "rtmpdump", "mplayer", "deno", "node", "bun",
    "qjs", "phantomjs", "AtomicParsley", "python3", "sh",
]  # fmt: skip
INSIDE = """
import json, os, socket, subprocess, sys
from pathlib import Path
sys.argv = ["child"]
from adapters.fetching import ytdlp_child as child
job = child.Job(**json.load(sys.stdin))
tried = {"kernel": child._confine(job)["landlock"]}
def attempt(name, step):
    try:
        step()
        tried[name] = "done"
    except BaseException as error:
        tried[name] = type(error).__name__
def connect(place, family=socket.AF_INET):
    with socket.socket(family) as line:
        line.settimeout(2)
        line.connect(place)
port = int(os.environ["CANARY"])
attempt("loopback", lambda: connect(("127.0.0.1", port)))
attempt("loopback6", lambda: connect(("::1", port), socket.AF_INET6))
attempt("resolve", lambda: socket.getaddrinfo("example.org", 80))
attempt("listen", lambda: socket.create_server(("127.0.0.1", 0)))
attempt("run", lambda: subprocess.run(["/bin/sh", "-c", "true"]))
attempt("system", lambda: os.system("true"))
attempt("exec", lambda: os.execv("/bin/true", ["true"]))
attempt("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("read", lambda: Path(os.environ["SECRET"]).read_text())
attempt("passwords", lambda: Path("/etc/shadow").read_text())
attempt("write", lambda: Path(os.environ["SECRET"] + ".new").write_text("x"))
attempt("own folder", lambda: Path(job.folder, "own").write_text("x"))
print(json.dumps(tried))
"""


@pytest.fixture
def web() -> Iterator[Web]:
    pages = {"/call.flac": recording(), "/talk": Page.html('<title>A talk</title><audio src="/call.flac"></audio>')}
    with Web(pages) as server:
        yield server


def plant(folder: Path) -> Path:
    """Fill a home, a path for programs and one for modules with lures; return the file that each of them writes to."""
    trace = folder / "trace"
    for name in PROGRAMS:
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {name} >> {trace}\n")
        program.chmod(0o755)
    config = f"--exec 'touch {trace}'\n--output {trace}\n--netrc\n"
    for place in (
        ".config/yt-dlp/config",
        ".config/yt-dlp.conf",
        "yt-dlp.conf",
        ".yt-dlp/config",
        "config/yt-dlp/config",
    ):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(config)
    plugin = f"open({str(trace)!r}, 'a').write('plugin')\n"
    plugins = (".config/yt-dlp/plugins/x", "config/yt-dlp/plugins/x", ".yt-dlp/plugins/x", "modules")
    for place in plugins:
        for kind in ("extractor", "postprocessor"):
            module = folder / place / "yt_dlp_plugins" / kind / "lure.py"
            module.parent.mkdir(parents=True, exist_ok=True)
            module.write_text(plugin)
    (folder / "modules" / "sitecustomize.py").write_text(plugin)
    (folder / ".netrc").write_text("machine 127.0.0.2 login ann password hush\n")
    (folder / ".netrc").chmod(0o600)
    return trace


@pytest.mark.timeout(60)
async def test_s06_what_is_planted_leaves_no_trace(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    trace = plant(home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(home / "bin"))
    monkeypatch.setenv("PYTHONPATH", str(home / "modules"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("YTDLP_NO_PLUGINS", "")
    await YtDlpFetcher(Egress(PUBLIC)).fetch(f"{web.address}/talk", tmp_path / "recording", LIMITS, ignore)
    assert (tmp_path / "recording").read_bytes() == CALL.read_bytes()
    assert not trace.exists(), trace.read_text()
    assert all("authorization" not in each and "cookie" not in each for each in web.headers)


def test_s06_the_options_are_a_fixed_list(tmp_path: Path) -> None:
    def of(url: str) -> dict[str, object]:
        job = Job(url=url, folder=str(tmp_path), proxy="p", port=1, max_bytes=1, max_duration=1)
        return {name: value for name, value in options(job).items() if name not in {"logger", "progress_hooks"}}

    assert of("https://example.org/") == of("--exec=touch x")
    assert of("x")["external_downloader"] == {"default": "native"}
    assert not any(of("x")[name] for name in ("postprocessors", "js_runtimes", "remote_components", "plugin_dirs"))
    assert not any(of("x")[name] for name in ("usenetrc", "cookiefile", "cookiesfrombrowser", "enable_file_urls"))


@pytest.mark.timeout(60)
async def test_s06_the_confined_process_can_do_nothing_else(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("hush")
    folder.mkdir()
    job = {"url": "", "folder": str(folder), "proxy": "", "port": 1, "max_bytes": 1 << 20, "max_duration": 1}
    with Canary(ports=1) as canary:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-E", "-s", "-c", INSIDE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            cwd=ytdlp._ROOT, env={"SECRET": str(secret), "CANARY": str(canary.ports[0])},
        )  # fmt: skip
        out, _ = await process.communicate(json.dumps(job).encode())
        tried = json.loads(out)
        assert canary.knocks == []
    assert tried.pop("own folder") == "done"
    kernel = tried.pop("kernel")
    refused = {"PermissionError", "OSError", "BlockingIOError"}
    alone = {"listen", "read", "passwords", "write"}  # which the interpreter by itself does not refuse
    assert {name: how for name, how in tried.items() if how not in refused and (kernel or name not in alone)} == {}
