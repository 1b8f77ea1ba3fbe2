"""Recordings for tests, made on the spot: speech-like sound in every format, and the files that attackers send."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 16_000
VOWELS = (
    *((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240)),
    *((530, 1840, 2480), (570, 840, 2410), (660, 1720, 2410)),
)
"""The first three resonances of a mouth, in Hz (Peterson and Barney, 1952)."""
BANDWIDTHS = (80, 100, 140)

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Talk:
    """Speech-like sound at 16 kHz, shape (samples,), and where each phrase starts and ends, in seconds."""

    samples: Samples
    phrases: tuple[tuple[float, float], ...]


def talk(seconds: float, *, seed: int = 0, pitch: float = 120.0) -> Talk:
    """Make phrases of vowels and hisses between pauses of 0.8 to 2 s; voice activity detectors take it for speech."""
    chance = np.random.default_rng(seed)
    pieces: list[NDArray[np.float64]] = []
    phrases: list[tuple[float, float]] = []
    length = 0
    while length < seconds * RATE:
        pause = int(chance.uniform(0.8, 2) * RATE)
        phrase = 0.4 * _phrase(int(chance.uniform(1, 4) * RATE), chance, pitch)
        pieces += [np.zeros(pause), phrase]
        phrases.append(((length + pause) / RATE, (length + pause + len(phrase)) / RATE))
        length += pause + len(phrase)
    sound = np.concatenate(pieces)[: int(seconds * RATE)]
    noisy = sound + chance.normal(0, 0.001, len(sound))
    kept = tuple((start, min(end, seconds)) for start, end in phrases if start < seconds)
    return Talk((noisy.clip(-1, 1) * 32_767).astype(np.int16), kept)


def _phrase(length: int, chance: np.random.Generator, pitch: float) -> NDArray[np.float64]:
    sounds: list[NDArray[np.float64]] = []
    while sum(map(len, sounds)) < length:
        if chance.random() < 0.4:
            sounds.append(np.diff(chance.normal(0, 0.25, int(RATE * chance.uniform(0.04, 0.09))), prepend=0))
        sounds.append(_vowel(int(RATE * chance.uniform(0.09, 0.2)), chance, pitch))
    return np.concatenate(sounds)[:length]


def _vowel(length: int, chance: np.random.Generator, pitch: float) -> NDArray[np.float64]:
    """Pulses of a voice through the resonances of a mouth."""
    bend = 1 + 0.15 * np.sin(np.linspace(0, 3, length) + chance.uniform(0, 6))
    cycles = np.cumsum(pitch * bend * chance.uniform(0.85, 1.15)) / RATE
    sound = lfilter([1], [1, -0.95], np.diff(np.floor(cycles), prepend=0))
    for formant, width in zip(VOWELS[chance.integers(len(VOWELS))], BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius * radius]
        sound = lfilter([sum(poles)], poles, sound)
    fade = np.minimum(1, np.minimum(np.arange(length), length - np.arange(length)) / (0.02 * RATE))
    return np.asarray(sound * fade / np.abs(sound).max())


@dataclass(frozen=True, kw_only=True)
class Format:
    """How to write one kind of file; `found` is what a decoder should call the container and the codec."""

    container: str
    codec: str
    found: tuple[str, str]
    rate: int = 44_100
    layout: str = "mono"
    video: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    codec_options: Mapping[str, str] = field(default_factory=dict)


VARIABLE_RATE = {"flags": "+qscale", "global_quality": "472"}
FORMATS = {
    "wav": Format(container="wav", codec="pcm_s16le", found=("wav", "pcm_s16le")),
    "mp3": Format(container="mp3", codec="libmp3lame", found=("mp3", "mp3")),
    "mp3-vbr": Format(container="mp3", codec="libmp3lame", found=("mp3", "mp3"), codec_options=VARIABLE_RATE),
    "mp3-headerless": Format(container="mp3", codec="libmp3lame", found=("mp3", "mp3"), options={"write_xing": "0"}),
    "mp3-vbr-headerless": Format(
        container="mp3",
        codec="libmp3lame",
        found=("mp3", "mp3"),
        options={"write_xing": "0"},
        codec_options=VARIABLE_RATE,
    ),
    "m4a": Format(container="ipod", codec="aac", found=("mov", "aac")),
    "m4a-faststart": Format(container="ipod", codec="aac", found=("mov", "aac"), options={"movflags": "faststart"}),
    "m4a-fragmented": Format(
        container="mp4",
        codec="aac",
        found=("mov", "aac"),
        options={"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"},
    ),
    "alac": Format(container="ipod", codec="alac", found=("mov", "alac")),
    "aac": Format(container="adts", codec="aac", found=("aac", "aac")),
    "ogg": Format(
        container="ogg", codec="vorbis", found=("ogg", "vorbis"), layout="stereo", codec_options={"strict": "-2"}
    ),
    "opus": Format(container="opus", codec="libopus", found=("ogg", "opus"), rate=48_000),
    "flac": Format(container="flac", codec="flac", found=("flac", "flac")),
    "mp2": Format(container="mp2", codec="mp2", found=("mp3", "mp2")),
    "mpeg": Format(container="mpeg", codec="mp2", found=("mpeg", "mp2"), video="mpeg2video"),
    "ts": Format(container="mpegts", codec="aac", found=("mpegts", "aac"), video="mpeg2video"),
    "mp4": Format(container="mp4", codec="aac", found=("mov", "aac"), video="mpeg4"),
    "mov": Format(container="mov", codec="aac", found=("mov", "aac"), video="mpeg4"),
    "avi": Format(container="avi", codec="libmp3lame", found=("avi", "mp3"), video="mpeg4"),
    "avi-pcm": Format(container="avi", codec="pcm_s16le", found=("avi", "pcm_s16le"), video="mpeg4"),
    "mkv": Format(container="matroska", codec="aac", found=("matroska", "aac"), video="mpeg4"),
    "mka": Format(container="matroska", codec="libopus", found=("matroska", "opus"), rate=48_000),
    "webm": Format(container="webm", codec="libopus", found=("matroska", "opus"), rate=48_000),
    "webm-live": Format(
        container="webm", codec="libopus", found=("matroska", "opus"), rate=48_000, options={"live": "1"}
    ),
    "wv": Format(container="wv", codec="wavpack", found=("wv", "wavpack")),
    "aiff": Format(container="aiff", codec="pcm_s16be", found=("aiff", "pcm_s16be")),
    "au": Format(container="au", codec="pcm_s16be", found=("au", "pcm_s16be")),
    "caf": Format(container="caf", codec="alac", found=("caf", "alac")),
    "w64": Format(container="w64", codec="pcm_s16le", found=("w64", "pcm_s16le")),
    "amr": Format(container="amr", codec="libopencore_amrnb", found=("amr", "amr_nb"), rate=8000),
    "ac3": Format(container="ac3", codec="ac3", found=("ac3", "ac3")),
    "tta": Format(container="tta", codec="tta", found=("tta", "tta")),
}


def write(path: Path, kind: Format, samples: Samples) -> Path:
    """Write 16 kHz samples, shape (samples,) or (samples, 2), as `kind`; with video, a frame of snow each 40 ms."""
    with av.open(str(path), "w", format=kind.container, options=dict(kind.options)) as container:
        video = container.add_stream(kind.video, rate=25) if kind.video else None
        if isinstance(video, av.VideoStream):
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
        layout = "stereo" if samples.ndim == 2 else kind.layout
        audio = container.add_stream(kind.codec, rate=kind.rate, layout=layout, options=dict(kind.codec_options))
        assert isinstance(audio, av.AudioStream)
        for number, start in enumerate(range(0, len(samples), RATE // 25)):
            if isinstance(video, av.VideoStream):
                picture = snow(number)
                picture.pts, picture.time_base = number, Fraction(1, 25)
                container.mux(video.encode(picture))
            container.mux(audio.encode(frame(samples[start : start + RATE // 25], start)))
        container.mux(audio.encode(None))
        if isinstance(video, av.VideoStream):
            container.mux(video.encode(None))
    return path


def write_apart(path: Path, kind: Format, samples: Samples, *, hole_at: int, hole: int) -> Path:
    """Write a picture track without a break beside sound whose clock jumps by `hole` samples at sample `hole_at`."""
    with av.open(str(path), "w", format=kind.container) as container:
        video = container.add_stream(kind.video, rate=25)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream(kind.codec, rate=RATE, layout="mono")
        assert isinstance(audio, av.AudioStream)
        packets = [packet for sound in pieces(samples) for packet in audio.encode(sound)] + audio.encode(None)
        for packet in packets:
            packet.pts = packet.dts = (packet.pts or 0) + (hole if (packet.pts or 0) >= hole_at else 0)
        for number in range((len(samples) + min(hole, 10 * RATE)) // (RATE // 25)):
            picture = dark()
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
            while packets and (packets[0].pts or 0) <= number * (RATE // 25):
                container.mux(packets.pop(0))
        container.mux(video.encode(None))
        container.mux(packets)
    return path


def dark() -> av.VideoFrame:
    """Make a black picture: one that is left as it comes holds whatever was in memory, and each file another size."""
    luma, chroma = np.full((32, 32), 16, np.uint8), np.full((16, 32), 128, np.uint8)
    return av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), format="yuv420p")


def snow(number: int) -> av.VideoFrame:
    """Make the noise picture of that number: its many bytes make a file's size follow its length, index or not."""
    noise = np.random.default_rng(number).integers(0, 256, (48, 32), np.uint8)
    return av.VideoFrame.from_ndarray(noise, format="yuv420p")


def pieces(samples: Samples, length: int = RATE // 25) -> Iterable[av.AudioFrame]:
    """Cut 16 kHz samples into frames of 40 ms."""
    return (frame(samples[start : start + length], start) for start in range(0, len(samples), length))


def frame(samples: Samples, pts: int, rate: int = RATE) -> av.AudioFrame:
    """Wrap samples, shape (samples,) or (samples, 2), as they are."""
    layout = "stereo" if samples.ndim == 2 else "mono"
    made = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.reshape(1, -1)), format="s16", layout=layout)
    made.rate, made.pts, made.time_base = rate, pts, Fraction(1, rate)
    return made


def wav(samples: Samples, *, rate: int = RATE, channels: int | None = None, size: int | None = None) -> bytes:
    """Make a WAV file by hand, so that its header may lie about rate, channels and the size of the samples."""
    width = channels if channels is not None else (samples.shape[1] if samples.ndim == 2 else 1)
    data = samples.astype("<i2").tobytes()
    stated = len(data) if size is None else size
    head = struct.pack("<HHIIHH", 1, width, rate, rate * width * 2 & 0xFFFFFFFF, width * 2 & 0xFFFF, 16)
    return b"".join(
        (
            b"RIFF" + struct.pack("<I", stated + 36 & 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<I", 16) + head,
            b"data" + struct.pack("<I", stated) + data,
        )
    )


def silence_bomb(path: Path, container: str, codec: str, hours: float) -> Path:
    """Write hours of silence at 8 kHz, which lossless and low-rate codecs store in next to nothing."""
    minute = av.AudioFrame(format="s16p" if codec == "wavpack" else "s16", layout="mono", samples=8000 * 60)
    for plane in minute.planes:
        plane.update(bytes(plane.buffer_size))
    with av.open(str(path), "w", format=container) as file:
        track = file.add_stream(codec, rate=8000, layout="mono")
        assert isinstance(track, av.AudioStream)
        for number in range(round(hours * 60)):
            minute.rate, minute.pts, minute.time_base = 8000, number * 8000 * 60, Fraction(1, 8000)
            file.mux(track.encode(minute))
        file.mux(track.encode(None))
    return path


def with_stated_samples(flac: bytes, samples: int) -> bytes:
    """Make a FLAC file's header state another number of samples: 36 bits in the middle of the STREAMINFO block."""
    patched = bytearray(flac)
    patched[21] = patched[21] & 0xF0 | samples >> 32
    patched[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return bytes(patched)


def tracks(path: Path, voices: Iterable[Samples], *, container: str = "matroska") -> Path:
    """Write several audio tracks of the same length beside each other."""
    sounds = list(voices)
    with av.open(str(path), "w", format=container) as file:
        streams = [file.add_stream("flac", rate=RATE, layout="mono") for _ in sounds]
        for start in range(0, len(sounds[0]), RATE):
            for stream, sound in zip(streams, sounds, strict=True):
                assert isinstance(stream, av.AudioStream)
                file.mux(stream.encode(frame(sound[start : start + RATE], start)))
        for stream in streams:
            assert isinstance(stream, av.AudioStream)
            file.mux(stream.encode(None))
    return path


def video_only(path: Path, container: str = "mp4") -> Path:
    """Write a second of dark frames without sound."""
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for number in range(25):
            picture = dark()
            picture.pts, picture.time_base = number, Fraction(1, 25)
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    return path
