"""`tapewatch backfill`, `tapewatch history`, and what `tapewatch kpi` finds unusual."""

import io
import json
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from statistics import median

import pytest

from deployments.cli import run_command
from settings.kpis import load_catalogue
from tests.warehouse.kind_tapes import loan_tape
from tests.warehouse.mixed_tape import AS_OF
from warehouse.json_text import canonical_sha256, pretty_json

ROOT = Path(__file__).parents[2]
MONTH_ENDS = 14  # of 2024-10, that of the first loan, to 2025-11


@pytest.fixture(scope="module")
def past(published, tmp_path_factory):
    """A published data folder whose every month end is backfilled, to be read alone."""
    root = tmp_path_factory.mktemp("past") / "home"
    shutil.copytree(published.root, root, symlinks=True)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        patch.setenv("PIPELINE_ENV", "development")
        patch.setenv("TAPEWATCH_DATA_DIR", str(root))
        assert run_command(["backfill"]) == 0
    return root, out.getvalue()


@pytest.fixture
def backfilled(past, home, monkeypatch):
    """The backfilled data folder, in use."""
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(past[0]))
    return past[1]


def document(done):
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_every_month_end_is_worked_out_once(backfilled, tapewatch):
    assert f"{MONTH_ENDS} days worked out, 0 known before" in backfilled
    assert "2024-10-31 to 2025-11-30, by the month" in backfilled

    again = document(tapewatch("backfill", "--json"))

    assert (len(again["days"]), again["new"]) == (MONTH_ENDS, [])
    assert again["as_of"] == AS_OF


def test_the_range_and_the_step_can_be_asked_for(full_home, tapewatch):
    asked = ("--from", "2025-12-01", "--to", "2026-06-30", "--every", "week")

    done = document(tapewatch("backfill", *asked, "--json"))

    assert done["days"] == done["new"] == ["2025-12-07"]  # the Sunday before AS_OF
    assert [path.name for path in Path(done["folder"]).iterdir()] == ["2025-12-07.json"]


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        (("--from", "2025-12-01"), 64, "TAPEWATCH-NO_PAST_DAYS"),
        (("--every", "year"), 64, "TAPEWATCH-USAGE"),
        (("--portfolio", "another"), 64, "TAPEWATCH-NOTHING_PUBLISHED"),
    ],
)
def test_what_cannot_be_backfilled_is_one_line(full_home, tapewatch, asked, code, told):
    done = tapewatch("backfill", *asked)

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(told)
    assert done.err.count("\n") == 1


@pytest.mark.slow
def test_a_backfill_that_was_killed_is_taken_up_again(full_home, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_TEST", "1")
    monkeypatch.setenv("TAPEWATCH_CRASH_AT", "write_replaced:3")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    killed = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "backfill"],
        cwd=full_home,
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL
    monkeypatch.delenv("TAPEWATCH_CRASH_AT")

    done = document(tapewatch("backfill", "--json"))

    assert (len(done["days"]), len(done["new"])) == (MONTH_ENDS, MONTH_ENDS - 3)
    folder = Path(done["folder"])
    assert sorted(path.name for path in folder.parent.iterdir()) == sorted([folder.name, "lock"])
    assert {path.suffix for path in folder.iterdir()} == {".json"}


# ------------------------------------------------------------------ history


def test_the_course_of_a_kpi_ends_with_the_run(backfilled, tapewatch):
    done = tapewatch("history", "par_90")

    head, *lines = done.out.splitlines()
    assert head.split() == ["day", "PAR", "90", "status", "basis", "from"]
    assert len(lines) == MONTH_ENDS + 1
    # 100,000 of LATE-100 over 292,000 on 2025-11-30, over 291,000 ten days later
    assert lines[-2].split() == ["2025-11-30", "34.25", "%", "critical", "ledger", "backfill"]
    assert lines[-1].split() == [AS_OF, "34.36", "%", "critical", "ledger", "run"]


def test_an_unknown_point_tells_why(backfilled, tapewatch):
    done = tapewatch("history", "data_quality_score")

    why = "it needs quality_result, which a past day does not tell"
    assert done.out.splitlines()[-1] == f"unknown on {MONTH_ENDS} days: {why}"


def test_every_kpi_has_a_line_of_its_own(backfilled, tapewatch):
    lines = tapewatch("history").out.splitlines()

    assert len(lines) == 1 + len(load_catalogue())
    assert max(map(len, lines)) <= 100
    assert lines[4].split()[:4] == ["PAR", "90", str(MONTH_ENDS + 1), "2024-10-31"]


def test_without_a_backfill_it_says_how_to_get_one(full_home, tapewatch):
    done = tapewatch("history", "par_90")

    assert "tapewatch backfill works out every month end" in done.out


def test_a_tape_without_a_ledger_is_not_sent_to_a_backfill(home, tapewatch, tmp_path):
    tape = loan_tape(tmp_path / "tape", ("A", "100", 0), ("B", "50", 95))
    assert tapewatch("run", "--input", tape, "--as-of", AS_OF).code == 0

    for asked in (("history", "par_90"), ("history",)):
        done = tapewatch(*asked)
        assert (done.code, "tapewatch backfill" in done.out) == (0, False)


def test_the_json_of_a_history_is_exact(backfilled, tapewatch):
    told = document(tapewatch("history", "par_90", "--json"))

    (kpi,) = told["kpis"]
    assert kpi["points"][-1] == {
        "as_of": AS_OF,
        "value": "0.343643",  # 100,000 / 291,000
        "status": "critical",
        "basis": "ledger",
        "source": "run",
        "reason": None,
    }
    assert len(document(tapewatch("history", "--json"))["kpis"]) == len(load_catalogue())


# ------------------------------------------------------------------ unusual


def test_a_value_far_from_its_past_is_called_unusual(backfilled, tapewatch):
    (course,) = document(tapewatch("history", "outstanding", "--json"))["kpis"]
    *earlier, last = [Decimal(point["value"]) for point in course["points"]]
    usual = median(earlier)
    spread = Decimal("1.4826") * median(abs(one - usual) for one in earlier)
    assert last == 291_000 > usual + Decimal("3.5") * spread > 0  # most months held the DEF loans

    told = document(tapewatch("kpi", "outstanding", "--json"))["anomaly"]

    assert (told["is_unusual"], told["side"], told["n"]) == (True, "higher", MONTH_ENDS)
    assert (Decimal(told["median"]), Decimal(told["spread"])) == (usual, spread)
    every = document(tapewatch("kpi", "--json"))["kpis"]
    assert told in [kpi["anomaly"] for kpi in every if kpi["name"] == "outstanding"]
    line = f"higher than usual: median {usual:,.2f} USD and spread {spread:,.2f} USD of 14 earlier"
    assert f"unusual: Outstanding: {line} values\n" in tapewatch("kpi").out
    assert line in " ".join(tapewatch("kpi", "outstanding").out.split())


def test_too_short_a_past_is_no_judgement(full_home, tapewatch):
    told = document(tapewatch("kpi", "par_90", "--json"))["anomaly"]

    assert told["is_unusual"] is None
    assert told["reason"] == "only 0 earlier values, at least 12 are needed"
    assert "unusual" not in tapewatch("kpi").out


# ------------------------------------------------------------------ verify


def test_verify_works_every_past_day_out_again(backfilled, tapewatch):
    done = tapewatch("verify")

    assert done.code == 0, done.err
    told = (
        f"history     {MONTH_ENDS} of {MONTH_ENDS} past days come out the same, to the last digit"
    )
    assert told in done.out
    (run,) = document(tapewatch("verify", "--json"))["runs"]
    assert run["history"] == {"days": MONTH_ENDS, "is_rebuilt": True, "problems": []}


def test_verify_names_an_altered_past_day_and_what_mends_it(past, home, tapewatch):
    root = shutil.copytree(past[0], home, symlinks=True)
    (folder,) = (root / "data" / "history").glob("*/2025-*")
    body = json.loads((folder / "2025-10-31.json").read_text())
    del body["content_sha256"]
    body["values"][0]["value"] = "0.000001"
    forged = {**body, "content_sha256": canonical_sha256(body)}
    (folder / "2025-10-31.json").write_bytes(pretty_json(forged))

    done = tapewatch("verify")

    assert done.code == 65
    assert "NOT SOUND" in done.out
    assert f"{MONTH_ENDS - 1} of {MONTH_ENDS} past days come out the same" in done.out
    *_, line = done.err.splitlines()  # before it, on a busy machine, how many days are done
    assert line.startswith("TAPEWATCH-HISTORY_DIFFERS: ")
    assert "2025-10-31.json says par_7 0.000001" in line
    verdict = json.loads((root / "data/verification/development/runs.json").read_text())
    assert verdict["problems"] == {folder.name: 1}
    shutil.rmtree(folder)  # as the line says
    assert tapewatch("backfill").code == 0
    assert tapewatch("verify").code == 0
