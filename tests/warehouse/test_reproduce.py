"""A sealed run comes out again from its raw bytes alone, and whatever is not so is named."""

import hashlib
import json
from datetime import date, timedelta

import duckdb
import pytest

from tests.warehouse.kind_tapes import DAILY_HEADER, loan_tape, write_csv
from tests.warehouse.tape_runs import TODAY, YESTERDAY, Desk, good_tape, run_phase, set_cell
from tests.warehouse.valued_tape import settings_for
from warehouse.json_text import canonical_json, pretty_json
from warehouse.manifest import MANIFEST, load_manifest
from warehouse.reproduce import (
    EarlierRunError,
    OtherKeyError,
    OtherVersionError,
    RawBytesError,
    reproduce,
)
from warehouse.run_folder import SealedRun
from warehouse.tape import PAR_BALANCES


def tree(root):
    """Return every file and link below `root` with all that a writer would change."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mtime_ns,
            path.lstat().st_ctime_ns,
            path.lstat().st_nlink,
            path.read_bytes() if path.is_file() else None,
        )
        for path in root.rglob("*")
    }


def again(desk, outcome):
    """Reproduce a run; whatever happens, nothing else than the run may be left."""
    before = tree(desk.root)
    try:
        return reproduce(outcome.sealed, desk.settings, run_phase)
    finally:
        assert tree(desk.root) == before


def whats(reproduced):
    return [difference.what for difference in reproduced.differences]


def forge(run, change):
    """Change a manifest and give it the hash that fits, as one who knows the code would."""
    path = run.folder / MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    del manifest["content_sha256"]
    manifest["content_sha256"] = hashlib.sha256(canonical_json(manifest)).hexdigest()
    path.write_bytes(pretty_json(manifest))
    return SealedRun(run.folder, load_manifest(run.folder))


def test_a_run_with_one_before_it_comes_out_again(desk, tape):
    outcome = desk.run(tape)

    reproduced = again(desk, outcome)

    assert reproduced.differences == ()
    assert reproduced.again.manifest.run_id == outcome.sealed.manifest.run_id
    assert reproduced.again.manifest.previous_run == outcome.previous.name
    tables = {name for name in outcome.sealed.manifest.files if name.endswith(".parquet")}
    assert {*reproduced.same_bytes, *reproduced.same_rows} == tables


def test_the_throw_away_folder_lies_beside_the_data_and_is_gone(desk, tape):
    reproduced = again(desk, desk.run(tape))

    assert reproduced.again.folder.is_relative_to(desk.root)
    assert not reproduced.again.folder.exists()
    assert sorted(path.name for path in desk.root.iterdir()) == ["data", "logs"]


def test_a_run_with_rows_set_apart_comes_out_again(desk, tape):
    desk.settings = settings_for(desk.root, TAPEWATCH_QUALITY__MAX_REJECTED_ROW_RATIO="0.5")
    outcome = desk.run(set_cell(tape, "loans", 3, "disburse_principal", "many"))
    assert "quarantine.parquet" in outcome.sealed.manifest.files

    assert again(desk, outcome).differences == ()


def test_the_settings_are_those_of_the_run_not_those_of_today(desk, tape):
    desk.settings = settings_for(desk.root, TAPEWATCH_WINDOWS__COLLECTION_DAYS="7")
    outcome = desk.run(tape)
    desk.settings = settings_for(desk.root)

    assert again(desk, outcome).differences == ()


def test_both_tapes_of_one_day_come_out_again(desk, tape):
    first = desk.run(tape)
    other = good_tape().loan(
        "KEEP-more", customer="CLI9", disbursed=YESTERDAY, principal=100, due="2026-01-25"
    )
    second = desk.run(other.write(desk.root.parent / "other"))
    assert second.sealed.manifest.supersedes == (first.sealed.manifest.run_id,)

    assert again(desk, first).differences == ()
    assert again(desk, second).differences == ()


def test_an_earlier_day_that_was_stored_later_changes_nothing(desk, tape):
    outcome = desk.run(tape)
    backfill = desk.run(tape, as_of=YESTERDAY - timedelta(days=1), backfill=True)

    assert again(desk, outcome).differences == ()
    assert again(desk, backfill).differences == ()


@pytest.fixture
def grown(tmp_path):
    """Return a desk with two loan tapes, the second accepted although it is ten times as large."""
    desk = Desk(tmp_path / "root")
    desk.run(loan_tape(tmp_path / "a", ("A", 1000, 0), ("B", 500, 10)), as_of=date(2025, 11, 27))
    more = loan_tape(tmp_path / "b", ("A", 900, 0, 1000), ("B", 400, 25, 500), ("C", 20_000, 0))
    refused = desk.refuse(more, as_of=TODAY, code="VOLUME_ANOMALY")
    run = refused.split("--accept-anomaly ")[1].split()[0]
    return desk, desk.run(more, as_of=TODAY, accept=(run, "a book was bought"))


def test_a_loan_tape_has_its_earlier_tapes_and_its_accepted_anomaly_again(grown):
    desk, outcome = grown
    assert outcome.sealed.manifest.files["earlier_total.parquet"].rows == 1

    assert again(desk, outcome).differences == ()


def test_a_tape_that_is_refused_now_is_told_so(grown):
    desk, outcome = grown
    forged = forge(outcome.sealed, lambda m: m["quality"].update(accepted_anomaly=None))

    reproduced = reproduce(forged, desk.settings, run_phase)

    assert reproduced.again is None
    (difference,) = reproduced.differences
    assert difference.again.startswith("refused (VOLUME_ANOMALY): the live balance went from")


def test_a_month_end_book_alone_comes_out_again(desk, tape):
    outcome = desk.run(tape / PAR_BALANCES.contract_name, as_of=None)

    assert again(desk, outcome).differences == ()


def test_an_aggregate_tape_comes_out_again(desk, tmp_path):
    row = "2025-12-27,1000,900,900,100,500,100,100,100,200"
    tape = write_csv(tmp_path / "daily.csv", DAILY_HEADER, row)

    assert again(desk, desk.run(tape, as_of=None)).differences == ()


@pytest.mark.parametrize("figure", ["value", "numerator", "denominator", "status", "basis"])
def test_a_forged_figure_of_a_kpi_is_named(desk, tape, figure):
    def change(manifest):
        kpi = next(k for k in manifest["kpis"]["values"] if k["name"] == "par_90")
        kpi[figure] = {"status": "warning", "basis": "reported"}.get(figure, "0.000001")

    forged = forge(desk.run(tape).sealed, change)

    assert whats(reproduce(forged, desk.settings, run_phase)) == [f"par_90 {figure}"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda m: m["quality"]["checks"].update(future_date=1), "bad rows of future_date"),
        (lambda m: m["quality"]["reconciliation"].update(compared=9), "reconciliation"),
        (lambda m: m["quality"].update(completeness="0.5"), "completeness"),
        (lambda m: m["kpis"]["health"][0].update(score="9.5"), "health collection_rate score"),
        (lambda m: m["ingestion"]["row_counts"].update(loan=1), "row_counts"),
    ],
)
def test_a_forged_fact_of_the_manifest_is_named(desk, tape, change, what):
    run = desk.run(tape).sealed
    name = json.loads((run.folder / MANIFEST).read_text())["kpis"]["health"][0]["kpi"]

    forged = forge(run, change)

    expected = what.replace("collection_rate", name) if what.startswith("health") else what
    assert whats(reproduce(forged, desk.settings, run_phase)) == [expected]


def test_a_table_that_was_forged_with_its_hash_is_named_with_its_rows(desk, tape):
    run = desk.run(tape).sealed
    path = run.folder / "book.parquet"
    with duckdb.connect() as db:
        db.read_parquet(str(path)).limit(5).write_parquet(f"{path}.new")
    path.with_name("book.parquet.new").replace(path)
    facts = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "rows": 5,
    }

    reproduced = reproduce(
        forge(run, lambda m: m["files"].update({"book.parquet": facts})), desk.settings, run_phase
    )

    (difference,) = reproduced.differences
    assert difference.what == "book.parquet"
    assert difference.sealed.startswith("5 rows")
    assert difference.again.startswith("121 rows")


@pytest.mark.parametrize("change", ["missing", "other"])
def test_raw_bytes_that_are_not_as_they_came_stop_it_before_any_work(desk, tape, change):
    outcome = desk.run(tape)
    facts = outcome.sealed.manifest.inputs[0]
    raw = desk.layout.raw / facts.sha256 / facts.name
    raw.unlink() if change == "missing" else raw.write_bytes(raw.read_bytes() + b"x")

    with pytest.raises(RawBytesError, match=r"loans\.csv, of which run .* from a backup") as caught:
        never_started(desk, outcome)

    assert caught.value.exit_code == 65


def never_started(desk, outcome):
    def fail(_name, _step):
        raise AssertionError("work began")

    try:
        reproduce(outcome.sealed, desk.settings, fail)
    except Exception as error:
        error.args = (f"{error} | {error.fix}",)
        raise


def test_another_masking_key_is_never_a_silent_mismatch(desk, tape):
    outcome = desk.run(tape)
    desk.settings = settings_for(desk.root, TAPEWATCH_PII_KEY="another key for tests, no secret")

    with pytest.raises(OtherKeyError, match="set TAPEWATCH_PII_KEY") as caught:
        never_started(desk, outcome)

    assert caught.value.exit_code == 78


def test_other_sql_names_the_version_that_sealed_the_run(desk, tape, monkeypatch):
    outcome = desk.run(tape)
    monkeypatch.setattr("warehouse.reproduce.sql_sha256", lambda _folder: "of a later version")

    with pytest.raises(OtherVersionError, match=r"other SQL .* the version that sealed it, test"):
        never_started(desk, outcome)


def test_an_earlier_run_that_is_gone_is_named(desk, tape):
    outcome = desk.run(tape)
    outcome.previous.folder.rename(desk.root / "elsewhere")

    with pytest.raises(EarlierRunError, match=f"{outcome.previous.name}.*from a backup"):
        never_started(desk, outcome)
