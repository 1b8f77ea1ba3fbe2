"""The decoder works where the restricted profile puts it: no capability, and a seccomp filter such as containers have.

The filter is made here and treats these calls as containerd's default one does: a process without capabilities gets no
new namespace. The user stays who runs the tests, for another might not be allowed to read Python.
"""

import ctypes
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.media.av import AvDecoder
from domain.media import DecodeLimits
from tests.kubernetes.manifests import ROOT

_CALLS = {"x86_64": (126, 272, 308), "aarch64": (91, 97, 268)}
"""The numbers of `capset`, `unshare` and `setns`."""


def restrict() -> None:
    """Give up every capability, and the right to new namespaces, as a container of ours has given them up."""
    capset, unshare, setns = _CALLS[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    version, nothing = struct.pack("Ii", 0x2008_0522, 0), bytes(24)
    assert libc.syscall(capset, version, nothing) == 0, os.strerror(ctypes.get_errno())
    load, same, answer, refused, fine = 0x20, 0x15, 0x06, 0x0005_0001, 0x7FFF_0000
    program = b"".join(
        struct.pack("HBBI", *step)
        for step in (
            (load, 0, 0, 0),  # the call's number
            (same, 1, 0, unshare), (same, 0, 1, setns),
            (answer, 0, 0, refused), (answer, 0, 0, fine),
        )
    )  # fmt: skip
    steps = ctypes.create_string_buffer(program)
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(steps)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0, "no new privileges"
    assert libc.prctl(22, 2, head) == 0, os.strerror(ctypes.get_errno())


def main() -> None:
    """Decode the recording that is named, and say what came of it and which layers of the cage held."""
    restrict()
    limits = DecodeLimits(max_duration=60_000, max_memory=1 << 30, max_seconds=60.0)
    decoder = AvDecoder()
    media = decoder.decode(Path(sys.argv[1]), Path(sys.argv[2]), limits, lambda _: None)
    capabilities = next(
        line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
    )
    said = {"duration": media.mix.duration, "layers": decoder.confinement(), "capabilities": int(capabilities, 16)}
    sys.stdout.write(json.dumps(said))


@pytest.mark.skipif(platform.machine() not in _CALLS, reason="the numbers of these calls are not known here")
def test_a_recording_is_decoded_under_the_restricted_profile(tmp_path: Path) -> None:
    source = ROOT / "tests" / "data" / "call.flac"
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import main; main()", str(source), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["capabilities"] == 0
    assert 20_000 < said["duration"] < 22_500
    assert said["layers"]["network_namespace"] is False
    assert said["layers"]["no_new_privileges"]
    assert said["layers"]["resource_limits"]
    assert said["layers"]["landlock"] == AvDecoder().confinement()["landlock"], "seccomp takes nothing else away"
