"""The generated page says what the metrics are declared to be, and their names keep the rules."""

import re

import pytest

from deployments.metrics_page import PAGE, metrics_page
from prometheus.families import EDGES
from prometheus.metrics import METRICS


def test_the_metrics_page_equals_a_fresh_generation():
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), (
        "run `make docs` and commit docs/metrics.md"
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_a_name_and_labels_that_prometheus_takes_and_one_line_of_help(name):
    metric = METRICS[name]

    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))  # added later
    assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)
    assert "le" not in metric.labels
    assert re.fullmatch(r"[^|\n]+\.", metric.help)


def test_the_lines_of_the_latency_are_edges():
    assert {600, 720, 900} <= set(EDGES)  # 10, 12 and 15 minutes
