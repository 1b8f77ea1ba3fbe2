"""What can be configured of the engines, their models and their processes; see `settings.py`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


class RemoteAsr(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The server behind `openai_compatible`."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s]+)?$",
            description="For `openai_compatible`: the server's address with its `/v1`. Speech is sent there.",
        ),
    ] = ""
    key: Annotated[
        str, Meta(pattern=r"^[!-~]*$", description="Its API key, if it wants one.", extra={"secret": True})
    ] = ""
    model: Annotated[str, Meta(min_length=1, description="The model to ask it for.")] = "whisper-1"
    # Half a minute of speech takes a large model on a CPU about as long as it lasts.
    timeout_seconds: Annotated[float, Meta(gt=0, description="How long it may be silent before a try is given up.")] = (
        60.0
    )
    # Less than ENGINE_STALL_SECONDS, so that a server that is gone is not taken for a hung engine.
    patience_seconds: Annotated[
        float, Meta(gt=0, description="How long half a minute of speech may take with all tries.")
    ] = 110.0
    # One piece is on its way while another is decoded; most servers of one's own decode one at a time.
    concurrency: Annotated[int, Meta(ge=1, le=32, description="Pieces of a recording that it gets at once.")] = 2


class Asr(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Speech recognition."""

    engine: Annotated[
        Literal["auto", "faster_whisper", "openai_compatible", "pocketsphinx", "scripted", "sherpa_onnx"],
        Meta(description="Which engine recognises speech; `auto` takes the best that can run here."),
    ] = "auto"
    model: Annotated[
        str, Meta(min_length=1, description="Default faster-whisper model: a name, or a local CTranslate2 directory.")
    ] = "small"
    device: Annotated[
        str, Meta(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu`, `cuda` or `cuda:N`.")
    ] = "auto"
    compute_type: Annotated[
        Literal["default", "int8", "int8_float16", "float16", "float32"],
        Meta(description="CTranslate2 precision; `default` is int8 on a CPU and int8_float16 on a GPU."),
    ] = "default"
    # Beside a diarizer of one thread, all cores took 0.7 to 1.3 times what one core fewer did, over runs of
    # tests/bench/bench_sharing.py on two busy cores: no difference. Without diarization, the cores are all its own.
    threads: Annotated[int, Meta(ge=0, le=256, description="CPU threads of the engine; 0 means all cores.")] = 0
    # A token costs all weights, for one chunk or four; but a large model on a CPU would report too seldom to be told
    # from a hung one. tests/bench/bench_recognition.py has the gain.
    batch_size: Annotated[
        int,
        Meta(
            ge=0, le=64,
            description="Chunks that faster-whisper decodes at once; 0 means 8 on a GPU, 4 on a CPU, 1 for models "
            "larger than `small` there, and fewer where memory is short.",
        ),
    ] = 0  # fmt: skip
    beam_size: Annotated[int, Meta(ge=1, le=20, description="Width of the beam search.")] = 5
    # 25 languages, fewer errors than Whisper, and on a CPU several times its speed.
    sherpa_model: Annotated[
        str, Meta(min_length=1, description="Model of `sherpa_onnx`: a name, or a local directory of its ONNX files.")
    ] = "parakeet-v3"
    remote: RemoteAsr = field(default_factory=RemoteAsr)
    script: Annotated[str, Meta(description="For the scripted test engine: its faults and costs.")] = ""


class DiarizationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who speaks when."""

    engine: Annotated[
        Literal["auto", "acoustic", "pyannote", "pyannote_onnx", "scripted", "sherpa_onnx"],
        Meta(description="Which engine tells speakers apart; `auto` takes the best that can run here."),
    ] = "auto"
    max_speakers: Annotated[
        int, Meta(ge=1, le=50, description="Most speakers to look for when no number is given.")
    ] = 20
    # The better of the two in pyannote's own table (README of 4.0.7), and without cost.
    model: Annotated[
        str,
        Meta(
            min_length=1,
            description="Pipeline of `pyannote` and `pyannote_onnx`: `pyannote-community-1`, `pyannote-3.1`, or a "
            "local directory.",
        ),
    ] = "pyannote-community-1"
    device: Annotated[
        str, Meta(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="For `pyannote`: `auto`, `cpu`, `cuda` or `cuda:N`.")
    ] = "auto"
    segmentation_batch: Annotated[
        int, Meta(ge=0, le=256, description="Windows that `pyannote` segments at once; 0 means 32.")
    ] = 0
    # On a GPU the speed saturates at 16; a CPU gains nothing, and shall report often (OpenTranscribe's measurements).
    embedding_batch: Annotated[
        int, Meta(ge=0, le=256, description="Voices that `pyannote` embeds at once; 0 means 16 on a GPU, else 4.")
    ] = 0
    # 1,800 windows of 589 frames for 20 speakers in float64, twice: 340 MB; and clustering is quadratic in windows.
    block_seconds: Annotated[
        int,
        Meta(ge=60, le=36_000, description="A longer recording is diarized by `pyannote` in blocks of this length."),
    ] = 1800
    # The exact mode finds what pyannote finds; how near the fast one comes is the operator's to measure.
    mode: Annotated[
        Literal["exact", "fast"],
        Meta(description="Whether `pyannote_onnx` hears each window by itself, or the recording once: a fifth of it."),
    ] = "exact"
    sherpa_model: Annotated[
        str,
        Meta(
            min_length=1,
            description="Networks of `sherpa_onnx`: a name, or a folder with `segmentation.onnx` and `embedding.onnx`.",
        ),
    ] = "sherpa-wespeaker"
    # The library's own, made for networks like the default one; others place voices nearer or farther apart.
    sherpa_threshold: Annotated[
        float, Meta(gt=0, lt=2, description="Cosine distance beyond which `sherpa_onnx` hears two people.")
    ] = 0.5
    second_look: Annotated[
        bool, Meta(description="Whether each sentence's voice is compared with the speakers', where the engine can.")
    ] = True
    # On two cores one: with two, both pools wait for each other, and the wall time was 2.9 to 4.8 times that of
    # one (as above). Half of more cores is that rule extended; it was not measured.
    threads: Annotated[int, Meta(ge=0, le=256, description="CPU threads of the engine; 0 means half of the cores.")] = 0
    script: Annotated[str, Meta(description="For the scripted test engine: its faults and costs.")] = ""


class Models(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where weights are, and whether they may be fetched."""

    dir: Annotated[str, Meta(description="Folder with one directory a model; empty means DATA_DIR/models.")] = ""
    # The one offline switch: without it the hub is not even asked whether it answers.
    download: Annotated[
        bool,
        Meta(description="Whether models may be downloaded; `false` is the offline switch: the hub is never asked."),
    ] = True
    hub_url: Annotated[str, Meta(pattern=r"^https?://", description="The model hub, or a mirror of it.")] = (
        "https://huggingface.co"
    )
    hub_token: Annotated[
        str, Meta(description="Token of a hub account that took the licences of gated models.", extra={"secret": True})
    ] = ""
    allow_non_commercial: Annotated[
        bool, Meta(description="Whether models may be downloaded whose licence forbids commercial use.")
    ] = False


class Engines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The processes that hold the models."""

    # A second copy of a model doubles its memory and, on a CPU, shares the same cores: one is as fast as two there.
    concurrency: Annotated[
        int,
        Meta(ge=1, le=32, description="Calls of one engine at once, each in a process with its own copy of the model."),
    ] = 1
    # The built-in diarizers need less, a large Whisper more; but that goes by windows, and frees its place after each.
    express_mb: Annotated[
        int,
        Meta(
            ge=0,
            description="A short recording that waits behind a long call gets a process of its own for as long as "
            "that is needed, one an engine, where the engine takes no more megabytes than this; 0 is never. "
            "Not on a GPU.",
        ),
    ] = 1000
    stall_seconds: Annotated[
        float,
        Meta(
            ge=1,
            description="An engine without progress for this long is killed; ten times as long while it keeps the CPU "
            "busy.",
        ),
    ] = 120.0
    # A load takes seconds, and a model holds half a gigabyte to six: people come back within ten minutes or much later.
    idle_seconds: Annotated[
        str,
        Meta(
            pattern=r"^(never|\d{1,6})$",
            description="An engine's process without a call for this long ends and gives its memory back; "
            "`0` is after each call, `never` keeps it.",
        ),
    ] = "600"
    preload: Annotated[
        str,
        Meta(
            pattern=r"^((vad|asr|diarization)(,(vad|asr|diarization))*)?$",
            description="Engines that are started and loaded with the service, by commas: `vad`, `asr`, `diarization`.",
        ),
    ] = "vad,asr,diarization"
    cpu_fallback: Annotated[
        bool, Meta(description="Whether an engine for which its GPU's memory is too little may go on with the CPU.")
    ] = False
    # Long enough for whoever took the memory to be done, or for somebody to see to the device.
    cooldown_seconds: Annotated[
        float,
        Meta(
            ge=0,
            description="For how long an engine that ran out of memory does with less, and a device with three "
            "sticky errors in a row is left alone.",
        ),
    ] = 600.0
    recycle_calls: Annotated[
        int, Meta(ge=0, description="Calls after which an engine's process is replaced; 0 means never.")
    ] = 0
    recycle_mb: Annotated[
        int, Meta(ge=0, description="Megabytes of its own memory beyond which it is replaced; 0 means never.")
    ] = 0
    window_seconds: Annotated[
        int, Meta(ge=1, le=300, description="Longest recognition window: what a restart repeats at most.")
    ] = 300
