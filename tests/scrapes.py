"""Reading what a process shows to Prometheus, by the vendor's own parser."""

from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """One scrape: each sample is a name, its labels, and a value."""

    def __init__(self, text: bytes) -> None:
        self.samples = [
            (sample.name, dict(sample.labels), sample.value)
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float | None:
        """The value of that very series; None where it is not shown."""
        return next((value for found, at, value in self.samples if (found, at) == (name, labels)), None)

    def by(self, name: str, label: str) -> dict[str, float]:
        """The values of a series by one of its labels, added up over the others."""
        sums: dict[str, float] = defaultdict(float)
        for found, labels, value in self.samples:
            if found == name:
                sums[labels[label]] += value
        return dict(sums)

    def label_values(self) -> dict[tuple[str, str], set[str]]:
        """Every value of every label of every series."""
        values: dict[tuple[str, str], set[str]] = defaultdict(set)
        for name, labels, _ in self.samples:
            for label, value in labels.items():
                values[name, label].add(value)
        return dict(values)
