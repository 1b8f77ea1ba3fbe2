"""What is written in an ONNX file beside its network; it must not read the network, nor need a vendor to look."""

from pathlib import Path
from typing import BinaryIO

_METADATA = 14
"""`metadata_props` of `ModelProto`: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto."""
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_LONGEST = 1 << 20
"""Bytes of an entry; what is longer is no metadata, and its length may be a broken file's invention."""


class NotOnnx(Exception):
    """The file is not made as Protocol Buffers are."""


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a model, however large its network is.

    Raises:
        NotOnnx: the file is something else, or was cut short.
        OSError: it cannot be read.
    """
    told: dict[str, str] = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            number, kind = divmod(_varint(file), 8)
            if kind == _VARINT:
                _varint(file)
            elif kind in {_FIXED_64, _FIXED_32}:
                file.seek(8 if kind == _FIXED_64 else 4, 1)
            elif kind == _BYTES:
                length = _varint(file)
                if file.tell() + length > size:
                    raise NotOnnx(path.name)
                if number == _METADATA and length <= _LONGEST:
                    key, value = _entry(file.read(length), path)
                    told[key] = value
                else:
                    file.seek(length, 1)
            else:
                raise NotOnnx(path.name)
    return told


def _entry(raw: bytes, path: Path) -> tuple[str, str]:
    """Read a key and a value, each with one byte of tag."""
    parts, at = {1: b"", 2: b""}, 0
    while at < len(raw):
        number, (length, start) = raw[at] >> 3, _length(raw, at + 1)
        parts[number] = raw[start : start + length]
        at = start + length
    try:
        return parts[1].decode(), parts[2].decode()
    except UnicodeDecodeError as exc:
        raise NotOnnx(path.name) from exc


def _length(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(raw):
        value |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not raw[at - 1] & 0x80:
            break
    return value, at


def _varint(file: BinaryIO) -> int:
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        if not byte[0] & 0x80:
            return value
        shift += 7
    raise NotOnnx(file.name)
