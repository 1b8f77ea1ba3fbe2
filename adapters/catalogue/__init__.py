"""Which weights this project knows by name; it touches neither disk nor network.

`shelf` says what of it lies on this machine, `adapters.hub` fetches the rest.
"""

from adapters.catalogue.entries import WeightFile, Weights
from adapters.catalogue.pyannote import PYANNOTE
from adapters.catalogue.sherpa import SHERPA
from adapters.catalogue.whisper import WHISPER

CATALOGUE = {weights.name: weights for weights in (*WHISPER, *PYANNOTE, *SHERPA)}
"""Every model that can be had by name."""

__all__ = ["CATALOGUE", "WeightFile", "Weights"]
