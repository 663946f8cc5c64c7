"""Every query of every dashboard runs on the real Prometheus, over what the real exporter told."""

from dataclasses import replace

import pytest

from tests.grafana.committed import METRIC, annotation_targets, panel_targets
from tests.grafana.live import HEALTHY, SICK, scraped

pytestmark = pytest.mark.slow

TARGETS = [*panel_targets(), *annotation_targets()]
EMPTY_WHEN_HEALTHY = {
    "Unknown KPIs": "every KPI is known",
    "In progress since": "no attempt is in progress",
    "Failures by their code": "no attempt failed",
    "Since each code last ended an attempt": "no attempt failed",
    "Checks that found rows": "no check found any",
    "KPIs that stopped or began to be ok": "none did",
    "Rollbacks": "what is served only ever went forward",
}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    with scraped(tmp_path_factory.mktemp("grafana")) as made:
        yield made


def test_every_query_has_data_when_there_is_every_trouble(prometheus):
    problems = [prometheus.problem(target, f"{HEALTHY}|{SICK}") for target in TARGETS]

    assert [problem for problem in problems if problem] == []


def test_a_healthy_portfolio_leaves_only_those_panels_empty_that_tell_of_trouble(prometheus):
    empty = {target.panel for target in TARGETS if prometheus.problem(target, HEALTHY)}

    assert empty == set(EMPTY_WHEN_HEALTHY)


def test_a_metric_that_nobody_exports_is_found_in_any_query(prometheus):
    mutants = [replace(each, expr=METRIC.sub(r"\g<0>x", each.expr, count=1)) for each in TARGETS]

    unseen = [mutant for mutant in mutants if not prometheus.problem(mutant, f"{HEALTHY}|{SICK}")]

    assert unseen == []


def test_a_query_that_does_not_parse_is_told_with_its_panel(prometheus):
    broken = replace(TARGETS[0], expr="max by (")

    assert "parse error" in prometheus.problem(broken, HEALTHY)
    assert TARGETS[0].panel in prometheus.problem(broken, HEALTHY)
