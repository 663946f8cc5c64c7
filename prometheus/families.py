"""Turn samples into the metric families that METRICS declares, and into no other."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import fsum, inf

from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from prometheus.metrics import METRICS, PREFIX
from settings.errors import InternalError

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
Bucket = tuple[str, float] | tuple[str, float, Exemplar]

# 10, 12 and 15 minutes are lines of settings.operations: the share beyond each can be read off.
EDGES = (0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 720, 900, 1800, 3600, inf)
_KINDS = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}


@dataclass(frozen=True)
class Duration:
    """One observation of a histogram; `ended` and `trace_id` let it be shown as an example."""

    seconds: float
    ended: float
    trace_id: str | None = None


@dataclass(frozen=True)
class Sample:
    """One value, or all observations of a histogram, with the label values as METRICS names them.

    Only a name that is given labels in the order of METRICS makes sense; `build_families` checks.
    """

    name: str
    value: float | tuple[Duration, ...]
    labels: tuple[str, ...] = ()


def build_families(samples: Iterable[Sample]) -> Iterator[Family]:
    """Yield each family that has a sample, in the order of METRICS.

    Raises:
        InternalError: A sample fits no metric.
    """
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.name, []).append(sample)
    for name in found.keys() - METRICS.keys():
        raise InternalError(f"no metric is called {name!r}", fix="add it to prometheus/metrics.py")
    for name, metric in METRICS.items():
        if name in found:
            family = _KINDS[metric.kind](PREFIX + name, metric.help, labels=metric.labels)
            for sample in found[name]:
                _add(family, sample, len(metric.labels))
            yield family


def _add(family: Family, sample: Sample, wanted: int) -> None:
    is_histogram = isinstance(family, HistogramMetricFamily)
    if len(sample.labels) != wanted or is_histogram != isinstance(sample.value, tuple):
        raise InternalError(f"{sample} does not fit its metric", fix="see prometheus/metrics.py")
    if isinstance(sample.value, tuple):
        total = fsum(duration.seconds for duration in sample.value)
        if isinstance(family, HistogramMetricFamily):
            family.add_metric(sample.labels, _buckets(sample.value), total)
    elif not isinstance(family, HistogramMetricFamily):
        family.add_metric(sample.labels, sample.value)


def _buckets(durations: tuple[Duration, ...]) -> list[Bucket]:
    counts = [0] * len(EDGES)
    examples: dict[int, Duration] = {}
    for duration in durations:
        place = bisect_left(EDGES, duration.seconds)  # exactly on an edge is still below it
        counts[place] += 1
        if duration.trace_id is not None:
            examples[place] = max(examples.get(place, duration), duration, key=_ended)
    buckets: list[Bucket] = []
    below = 0
    for place, edge in enumerate(EDGES):
        below += counts[place]
        name = "+Inf" if edge == inf else str(float(edge))
        example = examples.get(place)
        buckets.append((name, below) if example is None else (name, below, _exemplar(example)))
    return buckets


def _ended(duration: Duration) -> float:
    return duration.ended


def _exemplar(duration: Duration) -> Exemplar:
    return Exemplar({"trace_id": duration.trace_id or ""}, duration.seconds, duration.ended)
