"""Fetching a Whisper model by name; only engines that are allowed to download call it."""

from pathlib import Path

from adapters.catalogue import CATALOGUE
from adapters.hub import Hub, fetch, scaled
from application.ports.system import ProgressSink


def fetch_weights(model: str, models_dir: Path, hub_url: str, on_progress: ProgressSink) -> Path:
    """Download the weights of one of `weights.MODELS` into `models_dir` and return their directory.

    Raises:
        EngineUnavailable: the hub does not answer or does not have them, or they cannot be stored.
    """
    return fetch(CATALOGUE[model], models_dir, Hub(hub_url), scaled(on_progress))
