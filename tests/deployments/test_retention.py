"""`tapewatch retention` shows before it does, and does what it showed."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

from settings.load import load_settings
from tests.deployments.conftest import KEY
from warehouse.layout import Layout
from warehouse.retention.apply import Order, retain

LONG_AGO = 1_600_000_000  # 2020


def age(folder):
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))


def old_log(home):
    folder = home / "logs" / "runs" / "20200102T030000Z_a1"
    folder.mkdir(parents=True)
    (folder / "pipeline_a1.log").write_text("{}\n")
    return folder


def test_a_fresh_folder_has_nothing_to_go(full_home, tapewatch):
    assert tapewatch("retention").out.splitlines()[0] == "nothing is old enough to go"


def test_it_is_shown_first_and_done_when_asked(full_home, tapewatch):
    folder = old_log(full_home)
    refused = full_home / "data" / "raw" / ("0" * 64)
    refused.mkdir()
    (refused / "tape.csv").write_text("x\n")
    age(refused)

    shown = tapewatch("retention")
    assert shown.code == 0
    assert "would go" in shown.out
    assert "tapewatch retention --apply" in shown.out
    assert "logs are kept for 30 days" in shown.out
    assert folder.exists()

    done = json.loads(tapewatch("retention", "--apply", "--json").out)
    assert [(c["kind"], c["name"]) for c in done["candidates"]] == [
        ("log", folder.name),
        ("rejected", "0" * 64),
    ]
    assert (done["is_applied"], folder.exists(), refused.exists()) == (True, False, False)
    record = (full_home / "data" / "retention" / "removed.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in record] == ["log", "rejected"]


def test_the_store_and_all_that_verifies_it_do_without_the_runs_that_are_gone(
    published_days, tmp_path, monkeypatch, database, tapewatch
):
    home = shutil.copytree(published_days, tmp_path / "home", symlinks=True)
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(home))
    monkeypatch.setenv("TAPEWATCH_PII_KEY", KEY)
    monkeypatch.setenv("TAPEWATCH_RETENTION__PREDECESSORS", "0")
    monkeypatch.setenv("SUPABASE_DB_URL", database.url("app"))
    settings = load_settings()
    order = Order("anna", datetime.now(UTC) + timedelta(days=800))

    def runs_that_go():
        plan = retain(Layout.of(settings), settings, ("audit_store",), order, lambda _: None).plan
        return [candidate.name[:10] for candidate in plan.candidates if candidate.kind == "run"]

    assert runs_that_go() == []  # the store has none of them yet
    assert tapewatch("deliver").code == 0
    assert runs_that_go() == ["2025-12-03", "2025-12-09"]
    told = json.loads(tapewatch("audit", "verify", "--json").out)
    assert (told["is_sound"], told["received"], told["compared"], told["pending"]) == (
        True,
        3,
        1,
        0,
    )
    assert tapewatch("deliver", "--json").code == 0
    for command in (
        ["verify", "--all"],
        ["reproduce"],
        ["lineage", "par_90"],
        ["history", "par_90"],
    ):
        done = tapewatch(*command)
        assert done.code == 0, done.err
