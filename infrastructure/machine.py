"""What this machine gives an installation: files, cards, room, permissions, and which of its processes run here."""

import resource
import shutil
import stat
from pathlib import Path

from infrastructure.access_settings import is_loopback
from infrastructure.examination import Finding
from infrastructure.pulse import signs
from infrastructure.settings import Settings

_FEW_FILES = 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def look_at_machine(settings: Settings) -> list[Finding]:
    """Return the findings about the machine, and about who reaches the API."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    few = 0 <= files < _FEW_FILES
    found = [Finding("warn" if few else "ok", "open files", f"{files}", "ulimit -n 4096, or more" if few else "")]
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*"))
    wanted = settings.asr.device.startswith("cuda") or settings.diarization.device.startswith("cuda")
    found.append(
        Finding(
            "fail", "GPU", "none is here, and a setting names one", "install its driver, or hand it to the container"
        )
        if wanted and not cards
        else Finding("ok", "GPU", f"{len(cards)} of NVIDIA's" if cards else "none")
    )
    for folder in sorted({settings.data, settings.blob_dir}):
        if folder.is_dir():
            found += _permissions(folder) + _room(folder, settings)
    secret = settings.data / "installation.secret"
    found += _permissions(secret) if secret.exists() else []
    if not settings.alone and not settings.installation_secret:
        said = "none: nobody can log in, and webhooks keep no secrets"
        found.append(
            Finding("warn", "INSTALLATION_SECRET", said, "openssl rand -base64 32, the same for every process")
        )
    return [*found, *_edge(settings)]


def _permissions(path: Path) -> list[Finding]:
    if path.stat().st_mode & _OTHERS:
        return [Finding("warn", "permissions", f"others than this user may look into {path}", f"chmod go= {path}")]
    return []


def _room(folder: Path, settings: Settings) -> list[Finding]:
    volume = shutil.disk_usage(folder)
    least = max(settings.max.file_size, volume.total * settings.min.free_percent / 100)
    said = f"{volume.free >> 20} MiB free on the volume of {folder}"
    if volume.free < least:
        return [Finding("fail", "room", f"{said}: uploads are refused", "make room, or lower MIN_FREE_PERCENT")]
    return [Finding("ok", "room", said)]


def _edge(settings: Settings) -> list[Finding]:
    if is_loopback(settings.api.host):
        return [Finding("ok", "edge", f"only this machine reaches {settings.api.host}")]
    proxies = settings.api.trusted_proxies
    if not proxies:
        said = f"{settings.api.host} is open to others without TLS, and no proxy is trusted"
        return [Finding("warn", "edge", said, "put Caddy before it, and name it in API_TRUSTED_PROXIES")]
    everybody = any(each.strip().endswith("/0") for each in proxies.split(","))
    fix = "name the proxies alone" if everybody else ""
    return [Finding("warn" if everybody else "ok", "edge", f"trusts what {proxies} say of callers", fix)]


def look_at_processes(settings: Settings) -> list[Finding]:
    """Return a finding for each process that gives signs of life."""
    if not settings.pulse_dir.is_dir():
        return [Finding("ok", "processes", "none has run here yet")]
    found = [
        Finding(
            "ok" if sign.alive and all(state == "ok" for state in sign.parts.values()) else "warn",
            "processes",
            f"{sign.role} {sign.pid}, heard of {sign.age:.0f} s ago"
            + "".join(f"; {part}: {state}" for part, state in sign.parts.items() if state != "ok"),
            "mend the parts that it names" if sign.alive else "end it: it does nothing any more",
        )
        for sign in signs(settings.pulse_dir)
    ]
    return found or [Finding("ok", "processes", "none runs on this machine")]
