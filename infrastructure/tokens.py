"""Through what tokens are signed: the installation's secret, which is asked for when the first token is."""

from functools import cache

from adapters.tokens import JwtTokens
from infrastructure.installation_secret import derived_key
from infrastructure.settings import Settings

_PURPOSE = "tokens"


def make_tokens(settings: Settings) -> JwtTokens:
    """Return the signer; nothing is read or made yet."""
    return JwtTokens(cache(lambda: derived_key(settings, _PURPOSE)))
