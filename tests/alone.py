"""Runs what failed once more, by itself: some tests judge clocks, and `make test` runs three suites on a few cores.

python -m tests.alone CACHE_DIR

What fails again has failed; so has a run in which more than a handful did. A pass is told as what it is.
"""

import json
import subprocess
import sys
from pathlib import Path

MOST = 5


def main(cache: Path) -> int:
    """Return 0 if everything that failed in the run with this cache folder passes now."""
    failed = sorted(json.loads((cache / "v/cache/lastfailed").read_text()))
    if not 0 < len(failed) <= MOST:
        sys.stdout.write(f"{len(failed)} tests failed\n")
        return 1
    sys.stdout.write("\n  ".join(["Failed beside others, and run again alone:", *failed]) + "\n")
    sys.stdout.flush()
    return subprocess.call([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *failed])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
