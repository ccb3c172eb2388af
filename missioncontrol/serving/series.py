"""Counters and histograms that cost next to nothing where they are counted.

prometheus_client takes locks and walks through every bucket at each observation, which on a path of a
hundred microseconds is a good part. These are for one thread that counts; another may read them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Literal

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "unknown"]


class Values:
    """A metric with labels whose values are added to or set: a counter or a gauge."""

    def __init__(self, name: str, text: str, labels: Labels = (), *, kind: Kind = "counter") -> None:
        self.name, self._text, self._names, self._kind = name, text, labels, kind
        self._values: dict[Labels, float] = {}
        if not labels:
            self._values[()] = 0

    def add(self, labels: Labels = (), amount: float = 1) -> None:
        values = self._values
        values[labels] = values.get(labels, 0) + amount

    def set(self, value: float, labels: Labels = ()) -> None:
        self._values[labels] = value

    def value(self, labels: Labels = ()) -> float:
        """What has been counted."""
        return self._values.get(labels, 0)

    def collect(self) -> Metric:
        """For the metrics page."""
        # the page's writer adds _total to the name of every counter
        counts = self._kind == "counter" and self.name.endswith("_total")
        kind = self._kind if counts or self._kind != "counter" else "unknown"
        metric = Metric(self.name.removesuffix("_total") if counts else self.name, self._text, kind)
        for labels, value in list(self._values.items()):
            metric.add_sample(self.name, dict(zip(self._names, labels, strict=True)), value)
        return metric


class Histograms:
    """A histogram for each combination of labels."""

    def __init__(self, name: str, text: str, bounds: Iterable[float], labels: Labels = ()) -> None:
        self.name, self._text, self._names = name, text, labels
        self._bounds = tuple(bounds)
        self._counts: dict[Labels, list[float]] = {}
        if not labels:
            self._new(())

    def observe(self, value: float, labels: Labels = (), times: int = 1) -> None:
        counts = self._counts.get(labels) or self._new(labels)
        counts[bisect_left(self._bounds, value)] += times
        counts[-1] += value * times

    def count(self, labels: Labels = ()) -> float:
        """How many were observed."""
        return sum(self._counts.get(labels, (0.0,))[:-1])

    def _new(self, labels: Labels) -> list[float]:
        # one for each bound, one for what is beyond them, and the sum
        counts = self._counts[labels] = [0.0] * (len(self._bounds) + 2)
        return counts

    def collect(self) -> Metric:
        """For the metrics page."""
        metric = Metric(self.name, self._text, "histogram")
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, counts in list(self._counts.items()):
            named = dict(zip(self._names, labels, strict=True))
            below = 0.0
            for bound, count in zip(bounds, list(counts[:-1]), strict=True):
                below += count
                metric.add_sample(f"{self.name}_bucket", {**named, "le": bound}, below)
            metric.add_sample(f"{self.name}_count", named, below)
            metric.add_sample(f"{self.name}_sum", named, counts[-1])
        return metric


class Page(Collector):
    """Puts them on a registry's page."""

    def __init__(self, *series: Values | Histograms) -> None:
        self._series = list(series)

    def add(self, *series: Values | Histograms) -> None:
        self._series += series

    def collect(self) -> Iterator[Metric]:
        for each in self._series:
            yield each.collect()
