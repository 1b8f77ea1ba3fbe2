"""How the URL of a recording is stored until the recording is here: encrypted, if it holds secrets."""

from base64 import b64decode, b64encode

from application.ports.webhooks import Cipher
from domain.egress import masked

_MARK = "sealed:"
_CONTEXT = "fetch_url"


class SecretUrls:
    """Seals URLs that hold a password or a signature; the others, which tell nothing, need no secret to be set."""

    def __init__(self, cipher: Cipher) -> None:
        self._cipher = cipher

    def seal(self, url: str) -> str:
        """Return what may be stored.

        Raises:
            NotConfigured: the URL holds secrets, and the installation has none to encrypt them with.
        """
        if masked(url) == url:
            return url
        return _MARK + b64encode(self._cipher.seal(url.encode(), context=_CONTEXT)).decode()

    def open(self, stored: str) -> str:
        """Return the URL; what an earlier release stored is one.

        Raises:
            NotConfigured: it was sealed under another secret.
        """
        if not stored.startswith(_MARK):
            return stored
        return self._cipher.open(b64decode(stored.removeprefix(_MARK)), context=_CONTEXT).decode()
