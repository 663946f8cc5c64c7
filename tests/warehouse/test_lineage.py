"""Every KPI can be followed to the bytes it was made of, past the true hash of every file."""

import hashlib
from dataclasses import replace
from datetime import date

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.kind_tapes import DAILY_HEADER, kpis_of, loan_tape, write_csv
from tests.warehouse.tape_runs import TODAY, Desk, write_good
from warehouse.engine import SQL_ROOT
from warehouse.lineage import trace
from warehouse.tape import PAR_BALANCES

KPIS = [kpi.name for kpi in load_catalogue()]
KINDS = ("four_tables", "loan_tape", "par_balances", "aggregate")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a desk and run of each kind; before the loan tape there is an earlier one."""
    root = tmp_path_factory.mktemp("kinds")
    desks = {name: Desk(root / name / "root") for name in KINDS}
    good = write_good(root / "tape")
    loans = [("A", 900, 0, 1000), ("B", 500, 95)]
    desks["loan_tape"].run(
        loan_tape(root / "first", ("A", 1000, 0), ("B", 500, 80)), as_of=date(2025, 12, 12)
    )
    row = "2025-12-27,1000,900,900,100,500,100,100,100,200"
    inputs = {
        "four_tables": good,
        "loan_tape": loan_tape(root / "second", *loans),
        "par_balances": good / PAR_BALANCES.contract_name,
        "aggregate": write_csv(root / "daily" / "daily.csv", DAILY_HEADER, row),
    }
    return {name: (desks[name], desks[name].run(inputs[name], as_of=TODAY)) for name in KINDS}


def lineage_of(runs, kind, kpi):
    desk, outcome = runs[kind]
    return trace(outcome.sealed, kpis_of(outcome)[kpi], desk.settings)


def reached(lineage):
    """Return the ids that can be reached from the KPI."""
    found, todo = set(), [next(iter(lineage.nodes))]
    while todo:
        if (node := todo.pop()) not in found:
            found.add(node)
            todo += lineage.nodes[node].reads
    return found


@pytest.mark.parametrize("kpi", KPIS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kpi_of_every_kind_of_tape_reaches_its_bytes(runs, kind, kpi):
    lineage = lineage_of(runs, kind, kpi)

    assert next(iter(lineage.nodes)) == f"kpi/{kpi}"
    assert reached(lineage) == set(lineage.nodes)
    assert any(node.kind == "artifact" for node in lineage.nodes.values())


@pytest.mark.parametrize("kpi", KPIS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_hash_is_the_one_of_the_file(runs, kind, kpi):
    desk, _ = runs[kind]

    for node in lineage_of(runs, kind, kpi).nodes.values():
        if node.file is not None:
            data = (desk.layout.data / node.file.path).read_bytes()
            assert hashlib.sha256(data).hexdigest() == node.file.sha256
            assert len(data) == node.file.bytes
        if node.sql is not None:
            text = (SQL_ROOT.parent.parent / node.sql.path).read_bytes()
            assert hashlib.sha256(text).hexdigest() == node.sql.sha256
            assert node.sql.is_current is True


@pytest.mark.parametrize("kpi", KPIS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_table_is_made_of_something_or_stands_in_the_settings(runs, kind, kpi):
    for node in lineage_of(runs, kind, kpi).nodes.values():
        if node.kind in ("table", "absent", "kpi"):
            assert node.reads, node.id
        if node.kind == "setting":
            assert node.name in ("health_weight", "health_anchor")


@pytest.mark.parametrize("kind", ["four_tables", "loan_tape"])
def test_a_kpi_that_is_known_reads_no_table_that_the_tape_does_not_tell(runs, kind):
    _, outcome = runs[kind]
    for name, value in kpis_of(outcome).items():
        if value.value is not None and name != "data_quality_score":
            nodes = lineage_of(runs, kind, name).nodes.values()
            absent = [node.name for node in nodes if node.kind == "absent"]
            # the gate looks at every table that any tape may have
            assert [name for name in absent if not name.startswith("tape_")] == []


def test_each_table_of_an_export_comes_from_its_own_file(runs):
    nodes = lineage_of(runs, "four_tables", "par_90").nodes
    artifact = {name: nodes[nodes[f"table/{name}"].reads[0]].name for name in ("loan", "schedule")}

    assert artifact == {"loan": "loans.csv", "schedule": "schedules.csv"}
    assert nodes["table/book"].sql.path == "warehouse/sql/book/book.sql"
    assert nodes["table/book"].reads == ("table/book_history", "table/loan")
    assert nodes["table/loan"].file.rows == 121


def test_a_kpi_of_another_basis_shows_the_sql_of_its_own_folder(runs):
    _, outcome = runs["loan_tape"]
    assert kpis_of(outcome)["collection_rate"].basis == "snapshot_delta"

    nodes = lineage_of(runs, "loan_tape", "collection_rate").nodes

    path = "warehouse/sql/kpi/snapshot_delta/collection_rate.sql"
    assert nodes["kpi/collection_rate"].sql.path == path
    assert nodes["table/loan"].sql.path == "warehouse/sql/canonical/loan_tape.sql"


def test_what_an_earlier_tape_told_is_followed_to_its_run(runs):
    nodes = lineage_of(runs, "loan_tape", "collection_rate").nodes
    earlier, last = sorted(path.name for path in runs["loan_tape"][0].layout.runs.iterdir())

    found = [node for node in nodes.values() if node.kind == "earlier_run"]

    assert [node.file.path for node in found] == [f"runs/{earlier}/book.parquet"]
    assert found[0].id in nodes["table/stored_position"].reads
    assert nodes["table/book"].file.path == f"runs/{last}/book.parquet"


def test_the_health_score_shows_the_kpis_it_weighs(runs):
    nodes = lineage_of(runs, "four_tables", "portfolio_health").nodes

    assert set(nodes["table/kpi_result"].reads) == {
        "kpi/par_90",
        "kpi/collection_rate",
        "kpi/rdr_90",
    }


def test_the_data_quality_shows_every_check_that_ran(runs):
    _, outcome = runs["four_tables"]
    nodes = lineage_of(runs, "four_tables", "data_quality_score").nodes

    ran = outcome.sealed.manifest.quality["checks"]
    assert set(nodes["table/quality_result"].reads) == {f"check/{name}" for name in ran}


def test_an_unknown_kpi_names_the_table_that_the_tape_does_not_tell(runs):
    _, outcome = runs["loan_tape"]
    value = kpis_of(outcome)["collection_rate_month"]
    assert value.value is None

    lineage = lineage_of(runs, "loan_tape", "collection_rate_month")

    assert lineage.value.reason == value.reason
    absent = {node.name for node in lineage.nodes.values() if node.kind == "absent"}
    assert {"schedule", "transaction"} <= absent


def test_sql_that_changed_since_is_told(runs, monkeypatch):
    desk, outcome = runs["four_tables"]
    value = replace(kpis_of(outcome)["par_90"], definition_sha256="0" * 64)
    monkeypatch.setattr("warehouse.lineage.sql_sha256", lambda _folder: "of a later version")

    lineage = trace(outcome.sealed, value, desk.settings)

    assert lineage.is_same_sql is False
    assert lineage.nodes["kpi/par_90"].sql.is_current is False
    assert lineage.nodes["table/book"].sql.is_current is None  # only the whole is known to differ


def test_nothing_is_written_into_the_data_folder(runs):
    desk, _ = runs["loan_tape"]
    before = {p: p.lstat().st_ctime_ns for p in desk.root.rglob("*")}

    lineage_of(runs, "loan_tape", "collection_rate")

    assert {p: p.lstat().st_ctime_ns for p in desk.root.rglob("*")} == before
