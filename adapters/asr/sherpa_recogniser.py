"""One loaded model of sherpa-onnx: sound in, tokens out; it loads nothing that the library would end a process for."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.asr.sherpa_models import Files, Kind
from adapters.asr.tokens import Tokens
from adapters.onnx_file import NotOnnx, metadata
from domain.errors import EngineUnavailable
from domain.media import SAMPLE_RATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHORTEST = SAMPLE_RATE
"""Samples; networks that halve the frames again and again fail on less, so what is shorter gets silence behind it."""
_NEMO = ("EncDecRNNTBPEModel", "EncDecHybridRNNTCTCBPEModel")
_CTC = {
    "EncDecCTCModelBPE": "from_nemo_ctc", "EncDecCTCModel": "from_nemo_ctc",
    "EncDecHybridRNNTCTCBPEModel": "from_nemo_ctc", "zipformer2_ctc": "from_zipformer_ctc",
    "wenet_ctc": "from_wenet_ctc",
}  # fmt: skip
"""What opens a CTC model of a type; each type's features are computed otherwise."""
_BLANKS = ("<blk>", "<eps>", "<blank>")


class Recogniser:
    """A model, loaded."""

    def __init__(self, files: Files, *, threads: int) -> None:
        from sherpa_onnx import OfflineRecognizer

        how = _opening(files)
        paths = {name: str(path) for name, path in files.parts.items()}
        open_ = getattr(OfflineRecognizer, how.pop("by"))
        self._recogniser = open_(**paths, **how, tokens=str(files.tokens), num_threads=threads)

    def hear(self, sound: "NDArray[np.float32]") -> tuple[Tokens, str]:
        """Return what was said in `sound`, and the language's code where the model tells it, else nothing."""
        import numpy as np

        stream = self._recogniser.create_stream()
        stream.accept_waveform(SAMPLE_RATE, np.pad(sound, (0, max(0, _SHORTEST - len(sound)))))
        self._recogniser.decode_stream(stream)
        told = stream.result
        tokens = Tokens(
            text=told.text, tokens=told.tokens, starts=told.timestamps, durations=told.durations,
            scores=told.ys_log_probs,
        )  # fmt: skip
        return tokens, told.lang.strip("<|>")


def _opening(files: Files) -> dict[str, Any]:
    """Tell by its metadata how a model is opened.

    Raises:
        EngineUnavailable: it is none that the library would not end the process for.
    """
    if files.kind is Kind.MOONSHINE:
        return {"by": "from_moonshine"}
    if files.kind is Kind.MOONSHINE_V2:
        return {"by": "from_moonshine_v2"}
    if not any(row.startswith(f"{blank} ") for row in _rows(files.tokens) for blank in _BLANKS):
        raise EngineUnavailable("tokens.txt of the model has no blank token: it belongs to another model")
    if files.kind is Kind.TRANSDUCER:
        nemo = _facts(files.parts["encoder"]).get("model_type") in _NEMO
        _require(files.parts["encoder" if nemo else "decoder"], "vocab_size", *(() if nemo else ("context_size",)))
        return {"by": "from_transducer", "model_type": "nemo_transducer" if nemo else "transducer"}
    kind = _facts(files.parts["model"]).get("model_type", "")
    if kind not in _CTC:
        raise EngineUnavailable(f"CTC models of type '{kind}' are not known here; those are: {', '.join(_CTC)}")
    if _CTC[kind] == "from_nemo_ctc":
        _require(files.parts["model"], "vocab_size", "subsampling_factor")
    return {"by": _CTC[kind]}


def _rows(tokens: Path) -> list[str]:
    try:
        return tokens.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise EngineUnavailable("tokens.txt of the model cannot be read: fetch it again") from exc


def _facts(path: Path) -> dict[str, str]:
    try:
        return metadata(path)
    except (NotOnnx, OSError) as exc:
        raise EngineUnavailable(f"{path.name} of the model is no ONNX file: fetch it again") from exc


def _require(path: Path, *names: str) -> None:
    if lacking := set(names) - _facts(path).keys():
        raise EngineUnavailable(f"{path.name} lacks what sherpa-onnx wants ({', '.join(sorted(lacking))})")
