"""What retention takes away, what it spares, and that all of it is on record."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.prometheus.data_folder import DataFolder, Scrape
from warehouse.attempt_folder import utc_text
from warehouse.delivery_box import delivery_folder
from warehouse.durable import make_folder
from warehouse.json_text import pretty_json
from warehouse.kpi_history import KpiHistory
from warehouse.lock import LockHeldError, hold_lock
from warehouse.manifest import MANIFEST
from warehouse.messages import Message, SealedMessages, write_messages
from warehouse.retention.apply import Order, retain
from warehouse.retention.log import LOG, log_problems, read_log
from warehouse.retention.plan import plan_retention
from warehouse.run_folder import run_folders, runs_back, verify_all
from warehouse.trend import history_in_force

ROOT = Path(__file__).parents[3]
BOOK = ("production", "default")
FIRST = date(2025, 3, 1)
SEALED = datetime(2025, 3, 2, 9, tzinfo=UTC)
LATER = SEALED + timedelta(days=740)


@pytest.fixture
def home(tmp_path):
    """Twelve days of March 2025 and the last served; the next day's run is compared to it."""
    return DataFolder(tmp_path)


def publish_days(home, count, **asked):
    runs = []
    for n in range(count):
        runs.append(
            home.publish(
                day=FIRST + timedelta(days=n),
                sealed_at=SEALED + timedelta(days=n),
                before=runs[-1] if runs else None,
                **asked,
            )
        )
    return runs


def apply(home, now=LATER, receivers=()):
    return retain(home.layout, home.settings, receivers, Order("anna", now), lambda _: None)


def names(home):
    return [folder.name for folder in run_folders(home.layout)]


def everything(root):
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


def test_an_old_run_goes_and_its_record_says_who_when_what_and_why(home):
    runs = publish_days(home, 12)
    sha256 = runs[0].manifest_sha256()
    size = sum(path.stat().st_size for path in runs[0].folder.iterdir())

    done = apply(home)

    # of twelve, the served one and its seven predecessors stay: the first four go
    assert [c.name for c in done.plan.candidates] == [run.name for run in runs[:4]]
    assert names(home) == [run.name for run in runs[4:]]
    told = read_log(home.layout.data)
    assert [one.name for one in told] == [run.name for run in runs[:4]]
    first = told[0]
    assert (first.by, first.at, first.kind, first.action) == ("anna", LATER, "run", "removed")
    assert (first.sha256, first.bytes) == (sha256, size)
    assert first.why == "runs are kept for 730 days"
    assert first.inputs == ("a" * 64,)
    assert list(home.layout.trash.iterdir()) == []


def test_what_would_go_is_shown_without_a_byte_being_touched(home, tmp_path):
    publish_days(home, 12)
    before = everything(tmp_path)

    plan = plan_retention(home.layout, home.settings, (), LATER)

    assert len(plan.candidates) == 4
    assert {one.why for one in plan.spared} == {"it is one of the 7 before the served one"}
    assert everything(tmp_path) == before


def test_a_run_goes_only_when_its_days_are_over(home):
    publish_days(home, 12)  # the first was sealed on SEALED, the second a day later

    on_the_day = plan_retention(home.layout, home.settings, (), SEALED + timedelta(days=730))
    after = plan_retention(home.layout, home.settings, (), SEALED + timedelta(days=730, seconds=1))

    assert (len(on_the_day.candidates), len(after.candidates)) == (0, 1)


def test_a_run_of_another_environment_is_not_looked_at(home):
    publish_days(home, 12, environment="staging")

    assert apply(home).plan.candidates == ()


def test_a_run_that_the_audit_store_has_not_got_stays(home):
    runs = publish_days(home, 12, files=("audit.json",))

    first = apply(home, receivers=("audit_store",))
    received = make_folder(delivery_folder(home.layout, "production") / "audit_store" / "received")
    for run in runs[:2]:
        receipt = {"item": run.name, "store": "db", "received_at": utc_text(LATER)}
        link = {"ledger_seq": 1, "ledger_hash": "0" * 64}
        (received / f"{run.name}.json").write_bytes(pretty_json({**receipt, **link}))
    second = apply(home)  # the store is found by its folder

    assert first.plan.candidates == ()
    assert {one.why for one in first.plan.spared[:4]} == {"audit_store has not got all of it"}
    assert [c.name for c in second.plan.candidates] == [run.name for run in runs[:2]]


@pytest.mark.parametrize(("code", "goes"), [("MESSAGE_EXPIRED", True), ("NO_CHANNEL", False)])
def test_a_refused_message_binds_its_run_unless_it_was_given_up_as_too_old(home, code, goes):
    staged = home.layout.staging / "told"
    make_folder(staged)
    message = Message("m1", "kpi_alert", "risk_alerts", "warning", "default", "par_90", {})
    write_messages(staged, SealedMessages("production", SEALED, {}, (message,)))
    text = (staged / "messages.json").read_bytes()
    runs = publish_days(home, 12)
    (runs[0].folder / "messages.json").write_bytes(text)
    folder = delivery_folder(home.layout, "production") / "slack-risk-alerts" / "refused"
    told = {"item": "m1", "refused_at": utc_text(SEALED), "code": code, "message": "no"}
    (make_folder(folder) / "m1.json").write_bytes(pretty_json(told))

    done = apply(home)

    assert (runs[0].name in [c.name for c in done.plan.candidates]) is goes


def test_what_is_left_verifies_and_a_forged_record_is_found(home):
    runs = publish_days(home, 12)
    apply(home)

    assert verify_all(home.layout) == []  # the fifth was compared with a run that is gone
    log = home.layout.data / LOG
    log.write_text(log.read_text().replace(read_log(home.layout.data)[3].sha256, "0" * 64))
    (problem,) = verify_all(home.layout)
    assert problem.folder == runs[4].name
    assert log_problems(home.layout.data) == []  # the last line binds none yet
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]))
    assert log_problems(home.layout.data) == ["line 1 does not follow the line before it"]


def test_no_counter_falls_when_runs_and_logs_go(home):
    for n, run in enumerate(publish_days(home, 12)):
        home.attempt(f"a{n}", "published", started=run.manifest.created_at)
        make_folder(home.layout.log_runs / f"2025030{n % 9 + 1}T090000Z_a{n}")
    before = Scrape(home.exporter("audit_store")).series("runs_total")

    done = apply(home)

    after = Scrape(home.exporter("audit_store"))
    assert {c.kind for c in done.plan.candidates} == {"log", "run"}
    assert after.series("runs_total") == before
    assert set(after.series("source_readable").values()) == {1.0}
    assert after.value("deliveries_refused") == 0


def test_log_folders_go_by_their_age_except_those_that_are_needed(home):
    run = home.publish(day=FIRST, sealed_at=SEALED)
    kept = ["20250401T090000Z_young", "20250302T090000Z_running", run.name]
    beside = "staging_20250301T090000Z_old"  # another environment's
    for name in (*kept, beside, "20250301T090000Z_old", "20250302T090000Z_old", "latest-of-all"):
        make_folder(home.layout.log_runs / name)
    home.layout.latest.symlink_to("latest-of-all")
    os.utime(home.layout.log_runs / "latest-of-all", (0, 0))
    os.utime(home.layout.log_runs / run.name, (0, 0))
    home.attempt("20250302T090000Z_running", "running", started=SEALED)

    done = apply(home, now=datetime(2025, 4, 15, tzinfo=UTC))

    assert sorted(c.name for c in done.plan.candidates) == [
        "20250301T090000Z_old",
        "20250302T090000Z_old",
    ]
    left = {path.name for path in home.layout.log_runs.iterdir()}
    assert left == {*kept, beside, "latest-of-all", "latest"}


def test_nothing_goes_while_a_run_is_at_work(home, tmp_path):
    publish_days(home, 12)
    with hold_lock(home.layout.lock, "daily", SEALED):
        before = everything(tmp_path)
        with pytest.raises(LockHeldError):
            apply(home)
        assert everything(tmp_path) == before


PROGRAM = """
import sys
from datetime import datetime
from tests.prometheus.data_folder import DataFolder
from warehouse.retention.apply import Order, retain
home = DataFolder(sys.argv[1])
order = Order("anna", datetime.fromisoformat(sys.argv[2]))
retain(home.layout, home.settings, (), order, lambda _: None)
"""


@pytest.mark.parametrize(
    "point", ["trash_renamed", "removal_recorded", "trash_unlinked", "removal_recorded:3"]
)
def test_killed_anywhere_the_next_retention_leaves_nothing_half_done_and_one_record_each(
    home, tmp_path, point
):
    runs = publish_days(home, 12)
    environment = {**os.environ, "TAPEWATCH_TEST": "1", "TAPEWATCH_CRASH_AT": point}
    died = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, tmp_path, LATER.isoformat()],
        env=environment, cwd=ROOT, check=False, capture_output=True,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr

    done = apply(home)

    assert done.finished == 1
    assert names(home) == [run.name for run in runs[4:]]
    assert [one.name for one in read_log(home.layout.data)] == [run.name for run in runs[:4]]
    assert log_problems(home.layout.data) == []
    assert list(home.layout.trash.iterdir()) == []


def test_a_line_that_a_crash_has_cut_costs_that_line_alone(home):
    publish_days(home, 12)
    apply(home)
    log = home.layout.data / LOG
    log.write_bytes(log.read_bytes()[:-20])
    home.publish(day=date(2025, 4, 1), sealed_at=SEALED + timedelta(days=31))

    apply(home, now=LATER + timedelta(days=100))

    assert len(read_log(home.layout.data)) == 4  # three of the first four, and the fifth run
    assert log_problems(home.layout.data) == ["line 4 cannot be read"]
    assert json.loads((home.layout.runs / names(home)[0] / MANIFEST).read_bytes())


def test_the_run_that_the_history_in_force_was_worked_out_from_stays(home):
    runs = publish_days(home, 12)
    KpiHistory.of(home.layout, runs[1]).write(date(2024, 12, 31), ())

    done = apply(home)

    assert [c.name for c in done.plan.candidates] == [runs[n].name for n in (0, 2, 3)]
    (spared,) = [one for one in done.plan.spared if one.name == runs[1].name]
    assert spared.why == "past days were worked out from it"
    assert history_in_force(home.layout, runs_back(home.layout, BOOK, LATER.date())) is not None


def test_a_run_that_lies_elsewhere_goes_as_a_link_and_the_next_retention_works(home, tmp_path):
    runs = publish_days(home, 12)
    elsewhere = runs[0].folder.rename(tmp_path / "elsewhere")
    runs[0].folder.symlink_to(elsewhere)

    apply(home)
    again = apply(home)

    assert runs[0].name not in names(home)
    assert (again.finished, again.plan.candidates) == (0, ())
    assert (elsewhere / MANIFEST).is_file()
