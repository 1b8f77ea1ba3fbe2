"""The secret that an installation's signatures and ciphers hang on; it never enters the database, nor any log."""

import base64
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import NotConfigured
from infrastructure.settings import Settings

_BYTES = 32
_NAME = "installation.secret"


def derived_key(settings: Settings, purpose: str) -> bytes:
    """Return 32 bytes for `purpose` alone: whoever learns them learns neither the secret nor another purpose's.

    Raises:
        NotConfigured: several machines may work on the same database, and INSTALLATION_SECRET is not set.
    """
    return HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=purpose.encode()).derive(
        installation_secret(settings)
    )


def installation_secret(settings: Settings) -> bytes:
    """Return INSTALLATION_SECRET, or the secret in the data folder, which is made when it is first asked for.

    Raises:
        NotConfigured: as `derived_key`.
    """
    if settings.installation_secret:
        return base64.b64decode(settings.installation_secret)
    if not settings.alone:
        raise NotConfigured(
            "INSTALLATION_SECRET must be set, to the same value in every process: `openssl rand -base64 32` makes one"
        )
    return _of_folder(settings.data)


def _of_folder(folder: Path) -> bytes:
    path = folder / _NAME
    if not path.exists():
        _make(path)
    return base64.b64decode(path.read_bytes())


def _make(path: Path) -> None:
    """Put a new secret in place, whole and for this user alone; of several who do so at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{_NAME}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(_BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
