"""The process in which yt-dlp runs: `python -m adapters.fetching.ytdlp_child`, its job as JSON on standard input.

Lines of JSON on standard output tell the parent how it goes: `{"bytes": n, "of": n}` while bytes arrive, then
`{"fetched": {…}}` or `{"refused": code, "detail": sentence}`. Whatever a site makes of yt-dlp, this process can read
programs and certificates, write into its own folder, and connect to the parent's proxy; it can start nothing.
"""

import json
import os
import ssl
import sys
import sysconfig
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import DownloadError, UnsupportedError, YoutubeDLError

from adapters.confinement import confine_client

_MB = 1 << 20
_MEMORY = 2048 * _MB
"""Address space; a page's scripts may need some hundred MB, of which the program alone maps 250."""
_PROCESSOR_SECONDS = 600.0
_SLACK = 16 * _MB
"""Fragments lie beside the file while they are appended to it."""
_FORBIDDEN = ("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "os.spawn", "pty.", "ctypes.dlopen")
_PROTOCOLS = r"[protocol~='^(https?|m3u8(_native)?|http_dash_segments)$']"
_FORMAT = f"bestaudio{_PROTOCOLS}/best[height<=?480]{_PROTOCOLS}/worst{_PROTOCOLS}"
"""Sound alone if it is to be had so; a picture would be fetched in vain, and is a small one then."""
_MANIFESTS = {"m3u8", "m3u8_native"}
_LONGEST_MANIFEST = 16 * _MB
_LATER = {408, 425, 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to fetch, into which folder, through which proxy; limits as in `FetchLimits`."""

    url: str
    folder: str
    proxy: str
    port: int
    max_bytes: int
    max_duration: int


class Refused(Exception):
    """The recording cannot be had; the arguments are a code and a sentence."""


def main() -> None:
    """Do one job."""
    job = Job(**json.load(sys.stdin))
    _confine(job)
    try:
        _say(fetched=_fetch(job))
    except Refused as refusal:
        code, detail = refusal.args
        _say(refused=code, detail=detail)
    except MemoryError:
        _say(refused="fetch_failed", detail="the site needs more memory than fetching may have")
    except YoutubeDLError as error:
        code, detail = _explained(error)
        _say(refused=code, detail=detail)


def options(job: Job) -> dict[str, Any]:
    """Return every option that yt-dlp is given: a fixed list, of which nothing is the caller's but the limits."""
    return {
        "format": _FORMAT,
        "outtmpl": {"default": "media"},
        "paths": {"home": job.folder},
        "proxy": job.proxy,
        "noplaylist": True,
        "playlist_items": "1",
        "lazy_playlist": True,
        "progress_hooks": [partial(_told, job)],
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": os.devnull,
        "fixup": "never",
        "postprocessors": [],
        "js_runtimes": {},
        "remote_components": [],
        "plugin_dirs": [],
        "cachedir": False,
        "usenetrc": False,
        "cookiefile": None,
        "cookiesfrombrowser": None,
        "enable_file_urls": False,
        "default_search": "error",
        "allowed_extractors": ["default"],
        "socket_timeout": 20,
        "buffersize": 1 << 16,
        "noresizebuffer": True,  # else it reads megabytes past the limit before it says so
        "retries": 2,
        "fragment_retries": 2,
        "skip_unavailable_fragments": False,
        "extractor_retries": 1,
        "file_access_retries": 0,
        "concurrent_fragment_downloads": 1,
        "continuedl": False,
        "updatetime": False,
        "geo_bypass": False,
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "logger": _Silent(),
    }


def _fetch(job: Job) -> dict[str, Any]:
    with yt_dlp.YoutubeDL(options(job)) as downloader:
        downloader.params["match_filter"] = partial(_look, job, downloader)
        info = downloader.extract_info(job.url, download=True)
        entries = info.get("entries")
        info = next(iter(entries), None) if entries is not None else info
    if not info or not Path(job.folder, "media").is_file():
        raise Refused("fetch_failed", "there is no recording on the page")
    return {
        "title": str(info.get("title") or ""),
        "duration": info.get("duration"),
        "ext": str(info.get("ext") or ""),
        "site": str(info.get("extractor") or ""),
    }


def _look(job: Job, downloader: yt_dlp.YoutubeDL, info: dict[str, Any], **_: object) -> None:
    """Refuse what would be fetched in vain, as soon as it is known."""
    live = info.get("is_live") or info.get("live_status") in {"is_live", "is_upcoming", "post_live"}
    if live or (info.get("protocol") in _MANIFESTS and info.get("url") and _goes_on(downloader, info["url"])):
        raise Refused("live_stream", "this is a live stream, which has no end yet")
    duration = info.get("duration")
    if isinstance(duration, int | float) and duration * 1000 > job.max_duration:
        raise Refused("too_long", f"the recording is longer than the limit of {job.max_duration / 1000:g} seconds")
    size = info.get("filesize")
    if isinstance(size, int | float) and size > job.max_bytes:
        raise Refused("too_large", f"a recording may have at most {job.max_bytes} bytes")


def _goes_on(downloader: yt_dlp.YoutubeDL, url: str) -> bool:
    """Whether a list of fragments lacks its end: what a site does not say of its streams, their manifests do."""
    with downloader.urlopen(url) as answer:
        manifest = answer.read(_LONGEST_MANIFEST)
    return b"#EXTINF" in manifest and b"#EXT-X-ENDLIST" not in manifest


def _told(job: Job, state: dict[str, Any]) -> None:
    taken, whole = (
        state.get("downloaded_bytes") or 0,
        state.get("total_bytes") or state.get("total_bytes_estimate") or 0,
    )
    if taken > job.max_bytes or (state.get("total_bytes") or 0) > job.max_bytes:
        raise Refused("too_large", f"a recording may have at most {job.max_bytes} bytes")
    _say(bytes=int(taken), of=int(whole))


def _explained(error: BaseException) -> tuple[str, str]:
    """Return a code and a sentence of ours: what yt-dlp says may hold addresses and secrets."""
    seen: BaseException | None = error
    while seen is not None:
        match seen:
            case Refused(args=(str() as code, str() as detail)):
                return code, detail
            case HTTPError():
                later = seen.status in _LATER or seen.status >= 500  # noqa: PLR2004 - the server's own errors
                return "fetch_unavailable" if later else "fetch_failed", f"the site answered {seen.status}"
            # A `DownloadError` without a cause says that yt-dlp has tried often enough.
            case TransportError() | DownloadError(exc_info=None | (None, *_)):
                return "fetch_unavailable", "the site cannot be reached, or broke off"
            case UnsupportedError():
                return "fetch_failed", "there is no recording on the page"
            case OSError(errno=int() as number) if number in {27, 28, 122}:
                return "no_room", str(number)
        seen = _cause(seen)
    return "fetch_failed", "the site does not give the recording away"


def _cause(error: BaseException) -> BaseException | None:
    if isinstance(error, DownloadError) and error.exc_info:
        inner = error.exc_info[1]
        return inner if isinstance(inner, BaseException) and inner is not error else None
    inner = getattr(error, "cause", None)
    return inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__


def _confine(job: Job) -> dict[str, bool]:
    """Have the kernel hold this process to its job, and the interpreter as well; say which layers the kernel has."""
    where = ssl.get_default_verify_paths()
    reads = {
        *map(Path, filter(None, (where.cafile, where.capath, where.openssl_cafile, where.openssl_capath))),
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *map(
            Path,
            (
                "/etc/ssl",
                "/usr/share/ca-certificates",
                "/usr/lib",
                "/lib",
                "/lib64",
                "/dev/null",
                "/etc/mime.types",
                "/etc/localtime",
            ),
        ),
    }
    layers = confine_client(
        reads=sorted(reads), writes=Path(job.folder), port=job.port, memory=_MEMORY, seconds=_PROCESSOR_SECONDS,
        file_size=job.max_bytes + _SLACK,
    )  # fmt: skip
    allowed = ("127.0.0.1", job.port)

    def judge(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN) or (event == "socket.connect" and tuple(arguments[1][:2]) != allowed):
            raise PermissionError(f"{event} is not for this process")
        if event == "socket.getaddrinfo" and arguments[0] != allowed[0]:
            raise PermissionError("names are the proxy's to resolve")

    sys.addaudithook(judge)
    return layers


class _Silent:
    """Takes what yt-dlp says, which may hold secrets, and says nothing."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


def _say(**message: object) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
