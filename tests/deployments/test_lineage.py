"""`tapewatch lineage`: a KPI, its SQL, its tables and its file, for people and for programs."""

import hashlib
import json

import pytest

from settings.kpis import load_catalogue
from tests.deployments.test_verify import forge, kpi_of
from warehouse.engine import SQL_ROOT


def test_the_tree_goes_from_the_kpi_to_the_file_that_came(full_home, run_folder, tapewatch):
    out = tapewatch("lineage", "par_90").out

    assert out.startswith("PAR 90 34.36 % critical, 2025-12-10, ledger\nsql/kpi/par_90.sql ")
    order = ["sql/book/book.sql", "sql/book/book_history.sql", "sql/canonical/loan.sql"]
    places = [out.index(told) for told in [*order, "loans.csv, from file: Cascade's four tables"]]
    assert places == sorted(places)
    assert f"run        {run_folder.name}" in out


@pytest.mark.parametrize("kpi", [kpi.name for kpi in load_catalogue()])
def test_the_tree_of_every_kpi_fits_80_columns(full_home, tapewatch, monkeypatch, kpi):
    monkeypatch.setenv("COLUMNS", "80")

    tree = tapewatch("lineage", kpi).out.split("\n\n")[0]

    assert max(map(len, tree.splitlines())) <= 80


def test_a_program_can_check_every_hash_of_the_json(full_home, tapewatch):
    document = json.loads(tapewatch("lineage", "portfolio_health", "--json").out)

    nodes = {node["id"]: node for node in document["nodes"]}
    assert document["root"] == "kpi/portfolio_health"
    assert document["source"]["origin"] == "file"
    assert all(below in nodes for node in nodes.values() for below in node["reads"])
    data = full_home / "data"
    for node in nodes.values():
        for told, root in ((node["file"], data), (node["sql"], SQL_ROOT.parent.parent)):
            if told is not None:
                digest = hashlib.sha256((root / told["path"]).read_bytes()).hexdigest()
                assert digest == told["sha256"]
    assert "kpi/par_90" in nodes["table/kpi_result"]["reads"]


def test_a_definition_that_has_changed_since_is_told(full_home, run_folder, tapewatch):
    other = {"definition_sha256": "0" * 64}
    forge(run_folder, lambda manifest: kpi_of(manifest, "par_90").update(other))

    assert "sql/kpi/par_90.sql 000000000000, changed since" in tapewatch("lineage", "par_90").out


def test_an_unknown_kpi_has_a_lineage_with_its_reason(full_home, run_folder, tapewatch):
    why = {"value": None, "status": "unknown", "reason": "nobody knows"}
    forge(run_folder, lambda manifest: kpi_of(manifest, "par_90").update(why))

    done = tapewatch("lineage", "par_90", "--as-of", "2025-12-10")

    assert done.code == 0
    assert done.out.startswith("PAR 90 unknown unknown, 2025-12-10, ledger\nnobody knows\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["par_9"], "TAPEWATCH-UNKNOWN_KPI: "),
        (["par_90", "--as-of", "2020-01-01"], "TAPEWATCH-NO_SUCH_RUN: "),
        (["par_90", "--portfolio", "other"], "TAPEWATCH-NOTHING_PUBLISHED: "),
    ],
)
def test_what_is_not_there_is_one_line_with_a_fix(full_home, tapewatch, arguments, line):
    done = tapewatch("lineage", *arguments)

    assert done.code == 64
    assert done.err.startswith(line)
    assert " | fix: " in done.err
