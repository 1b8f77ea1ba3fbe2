"""How benches tell their figures: for people, then a line that `tests.bench.report` collects."""

import json
from typing import Literal


def tell(bench: str, ratio: float, bar: float, *, better: Literal["more", "less"], detail: str = "") -> None:
    """Print one figure beside its bar; a bench calls this last. `detail` names what was compared with what."""
    met = ratio >= bar if better == "more" else ratio <= bar
    sign = "≥" if better == "more" else "≤"
    print(f"{bench}: ratio {ratio:.3g} (bar {sign} {bar:g}, {'met' if met else 'missed'})")
    figure = {"bench": bench, "ratio": round(ratio, 4), "bar": bar, "better": better, "met": met, "detail": detail}
    print(json.dumps(figure, ensure_ascii=False), flush=True)
