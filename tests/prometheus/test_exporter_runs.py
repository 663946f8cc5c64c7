"""The exporter tells of real runs what their manifests and attempts say."""

import pytest

from prometheus.exporter import Exporter
from tests.prometheus.data_folder import Scrape
from tests.warehouse.tape_runs import NOW, TODAY, Desk, write_good
from warehouse.attempts import PHASES
from warehouse.run_folder import read_current
from warehouse.sealed_kpis import read_kpis


@pytest.mark.slow
def test_a_real_run_is_told_as_it_was_sealed(tmp_path):
    desk = Desk(tmp_path / "root")
    tape = write_good(tmp_path / "tape")
    assert desk.run(tape, as_of=TODAY).outcome == "published"
    assert desk.run(tape, as_of=TODAY).outcome == "already_published"
    exporter = Exporter(desk.settings, pytest.fail, ["audit_store"])

    scrape = Scrape(exporter)

    sealed = read_current(desk.layout)
    values = {kpi.name: float(kpi.value) for kpi in read_kpis(sealed) if kpi.value is not None}
    assert {
        kpi: value for (_, kpi), value in scrape.series("kpi_value", portfolio="default").items()
    } == (values)
    # 31 loans are live and 100 each, 30 of them unpaid: 120 loans, every fourth, and the new one
    assert values["outstanding"] == 3_100
    assert scrape.value("input_rows", table="loan") == 121
    assert scrape.value("restated_loans") == 0
    assert scrape.value("reconcilable_rows") == scrape.value("reconciled_rows")
    assert scrape.value("runs_total", outcome="published") == 1
    assert scrape.value("runs_total", outcome="already_published") == 1
    counts = {phase: scrape.value("phase_duration_seconds_count", phase=phase) for phase in PHASES}
    assert counts == {"ingestion": 2, "transformation": 1, "calculation": 1, "output": 1}
    assert scrape.value("data_freshness_seconds") == pytest.approx(
        scrape.value("last_success_timestamp_seconds")
        - scrape.value("data_as_of_timestamp_seconds")
    )
    # the 28th, 03:00 in El Salvador, on the tape of the 27th
    assert scrape.value("data_freshness_seconds") == pytest.approx(3 * 3600, abs=60)
    assert scrape.value("last_success_timestamp_seconds") >= NOW.timestamp()
    assert scrape.value("deliveries_pending", receiver="audit_store") == 1
