"""What it means when an OpenAI-compatible server refuses.

It must not repeat the server's own words: they may hold a part of the key, or of what was said.
"""

import re

from adapters.asr.openai_wire import Reply
from domain.errors import ColloquyError, EngineFailed, EngineUnavailable, InvalidOptions, ModelNotFound

_REDIRECTS, _MALFORMED, _NOT_FOUND = range(300, 400), {400, 415, 422}, 404
_CODE = re.compile(rb'"code"\s*:\s*"([a-z0-9_]{1,40})"')
_LANGUAGE = re.compile(rb'"param"\s*:\s*"language')


def minds_the_form(reply: Reply) -> bool:
    """Whether it was the form of the answer that was refused: a simpler one may be had."""
    named = (b"response_format", b"granularit", b"verbose_json")
    return reply.status in _MALFORMED and any(name in reply.body for name in named)


def refusal(reply: Reply, model: str) -> ColloquyError:
    """Say it as the port says it; what asking again may mend is an `EngineFailed`."""
    body = reply.body.lower()
    if reply.status in {401, 403}:
        return EngineUnavailable(f"the remote server refuses ASR_REMOTE_KEY ({reply.status})")
    if reply.status == _NOT_FOUND and b"model" in body:
        return ModelNotFound(f"the remote server has no model '{model}'")
    if reply.status == _NOT_FOUND or reply.status in _REDIRECTS:
        return EngineUnavailable(f"ASR_REMOTE_URL is not the address of such a server: it answered {reply.status}")
    if reply.status in _MALFORMED and _LANGUAGE.search(body):
        return InvalidOptions("the remote server does not know that language", code="unsupported_language")
    code = _CODE.search(body)
    why = f", {code[1].decode()}" if code else ""
    return EngineFailed(f"the remote server refused the speech ({reply.status}{why})", code="remote_refused")
