"""Models that sherpa-onnx runs: nobody's token is needed for any of them."""

from adapters.catalogue.entries import ENGLISH, WeightFile, Weights

_CODES = """
bg cs da de el en es et fi fr hr hu it lt lv mt nl pl pt ro ru sk sl sv uk
"""
_PARAKEET_LANGUAGES = frozenset(_CODES.split())

# Diarization: `segmentation.onnx` and `embedding.onnx`, of two repositories each

_SEGMENTATION = WeightFile(
    "segmentation.onnx",
    5_992_913,
    "220ad67ca923bef2fa91f2390c786097bf305bceb5e261d4af67b38e938e1079",
    source="model.onnx",
    repository="csukuangfj/sherpa-onnx-pyannote-segmentation-3-0",
    revision="9403a6902bb58e3d5ae8c7e77c3422de279db2e0",
)
_REVERB = WeightFile(
    "segmentation.onnx",
    source="model.onnx",
    repository="csukuangfj/sherpa-onnx-reverb-diarization-v1",
    revision="d6a516efb21b1d22cb1c7baae704acacaa3ff71a",
)


def _voices(source: str, size: int, sha256: str) -> WeightFile:
    return WeightFile("embedding.onnx", size, sha256, source=source)


_WESPEAKER = _voices(
    "wespeaker_en_voxceleb_resnet34_LM.onnx",
    26_530_550,
    "e9848563da86f263117134dfd7ad63c92355b37de492b55e325400c9d9c39012",
)


def _diarization(
    name: str, segmentation: WeightFile, embedding: WeightFile, licence: str, *, non_commercial: bool = False
) -> Weights:
    return Weights(
        name=name,
        kind="diarization",
        engine="sherpa_onnx",
        repository="csukuangfj/speaker-embedding-models",
        revision="0743f301363dec56491a490f6d6cbc9d67f9a3bf",
        files=(segmentation, embedding),
        licence=licence,
        non_commercial=non_commercial,
    )


_DIARIZATION = (
    _diarization("sherpa-wespeaker", _SEGMENTATION, _WESPEAKER, "MIT; its speaker embedding CC-BY-4.0"),
    _diarization(
        "sherpa-eres2net",
        _SEGMENTATION,
        _voices(
            "3dspeaker_speech_eres2net_base_sv_zh-cn_3dspeaker_16k.onnx",
            39_593_761,
            "1a331345f04805badbb495c775a6ddffcdd1a732567d5ec8b3d5749e3c7a5e4b",
        ),
        "MIT; its speaker embedding Apache-2.0",
    ),
    _diarization(
        "sherpa-titanet",
        _SEGMENTATION,
        _voices(
            "nemo_en_titanet_small.onnx",
            40_257_283,
            "ad4a1802485d8b34c722d2a9d04249662f2ece5d28a7a039063ca22f515a789e",
        ),
        "MIT; its speaker embedding CC-BY-4.0",
    ),
    _diarization("sherpa-reverb", _REVERB, _WESPEAKER, "Rev non-commercial", non_commercial=True),
)

# Recognition


def _recogniser(
    name: str,
    repository: str,
    revision: str | None,
    licence: str,
    *files: WeightFile,
    languages: frozenset[str] = ENGLISH,
) -> Weights:
    return Weights(name, "asr", "sherpa_onnx", f"csukuangfj/{repository}", revision, files, licence, languages)


_MOONSHINE_TOKENS = WeightFile(
    "tokens.txt", 436_688, "1165c2aeb9f72f457a83be2d459a09054f27490acd9b41bd43794dfd25e296ea"
)

_RECOGNITION = (
    _recogniser(
        "moonshine-tiny",
        "sherpa-onnx-moonshine-tiny-en-int8",
        "bf2b762c076d8ea61e2af0b3851c9564fb77552e",
        "MIT",
        WeightFile("preprocess.onnx", 6_800_738, "f33addce61a143460fe753b5ee5b7db255e5140b5b779c065b94f6c83ff0bf4e"),
        WeightFile("encode.int8.onnx", 18_249_187, "8774dfba578de027ec6595c2c654a0836434489bc963a0db124a7f181f571acb"),
        WeightFile(
            "uncached_decode.int8.onnx", 53_216_096, "216737000dd5881a17aa043f6bbd286add33e4c3b0ae257153e2ec15438bdc41"
        ),
        WeightFile(
            "cached_decode.int8.onnx", 45_264_830, "2aff28bba6a03d8dcf5c9feac45462629bae37317442299f28115ad09da773f6"
        ),
        _MOONSHINE_TOKENS,
    ),
    _recogniser(
        "moonshine-base",
        "sherpa-onnx-moonshine-base-en-int8",
        "052b0798ad1bf046a140fdd4efcd9426530fa3f5",
        "MIT",
        WeightFile("preprocess.onnx", 14_077_290, "ffa630d395c5ccf76f5d4954be5b882df76aaf6491519ec01fd82ea7a3819fb2"),
        WeightFile("encode.int8.onnx", 50_311_494, "7e38770f776f2e5583a53b052936005df2ba5c833d7e09c2a5fd796b94bf73e2"),
        WeightFile(
            "uncached_decode.int8.onnx", 122_120_451, "c01f4b35093bcac20d352d23a75a539e772964579f9d024a90e5e6f09cae9987"
        ),
        WeightFile(
            "cached_decode.int8.onnx", 99_983_837, "2db74e51cedf64a8b1be3c8192e0bb5e4923af0e90bd9e87f8e8771873f8ea03"
        ),
        _MOONSHINE_TOKENS,
    ),
    _recogniser(
        "parakeet-v2",
        "sherpa-onnx-nemo-parakeet-tdt-0.6b-v2-int8",
        "1ab9323565ddb038682214b292f588070a538ce2",
        "CC-BY-4.0",
        WeightFile(
            "encoder.int8.onnx", 652_184_296, "a32b12d17bbbc309d0686fbbcc2987b5e9b8333a7da83fa6b089f0a2acd651ab"
        ),
        WeightFile("decoder.int8.onnx", 7_257_753, "b6bb64963457237b900e496ee9994b59294526439fbcc1fecf705b31a15c6b4e"),
        WeightFile("joiner.int8.onnx", 1_739_080, "7946164367946e7f9f29a122407c3252b680dbae9a51343eb2488d057c3c43d2"),
        WeightFile("tokens.txt", 9_384, "ec182b70dd42113aff6c5372c75cac58c952443eb22322f57bbd7f53977d497d"),
    ),
    _recogniser(
        "parakeet-v3",
        "sherpa-onnx-nemo-parakeet-tdt-0.6b-v3-int8",
        "2bda32ec70b097a55adaa07d9a7173915b43cc78",
        "CC-BY-4.0",
        WeightFile(
            "encoder.int8.onnx", 652_184_281, "acfc2b4456377e15d04f0243af540b7fe7c992f8d898d751cf134c3a55fd2247"
        ),
        WeightFile("decoder.int8.onnx", 11_845_275, "179e50c43d1a9de79c8a24149a2f9bac6eb5981823f2a2ed88d655b24248db4e"),
        WeightFile("joiner.int8.onnx", 6_355_277, "3164c13fc2821009440d20fcb5fdc78bff28b4db2f8d0f0b329101719c0948b3"),
        WeightFile("tokens.txt", 93_939, "d58544679ea4bc6ac563d1f545eb7d474bd6cfa467f0a6e2c1dc1c7d37e3c35d"),
        languages=_PARAKEET_LANGUAGES,
    ),
    _recogniser(
        "zipformer",
        "sherpa-onnx-zipformer-en-2023-06-26",
        "11a70a47ec5fd969c17b8d0818681d222a147781",
        "Apache-2.0",
        WeightFile("encoder-epoch-99-avg-1.int8.onnx"),
        WeightFile("decoder-epoch-99-avg-1.onnx"),
        WeightFile("joiner-epoch-99-avg-1.int8.onnx"),
        WeightFile("tokens.txt"),
    ),
)

SHERPA = (*_RECOGNITION, *_DIARIZATION)
