"""`tapewatch maintain` lists the steps of a flow, and does them when asked."""

import json
from datetime import UTC, datetime

import pytest

from deployments.bench_kept import SlowerError, keep_and_compare
from tests.flows.test_maintenance_schedules import listed
from warehouse.lock import hold_lock

NOW = datetime(2026, 1, 1, 2, tzinfo=UTC)
QUESTION = {"loans": 100, "threads": 2, "memory": "1GB"}


@pytest.mark.parametrize("kind", ["weekly", "monthly", "quarterly", "annual"])
def test_every_step_is_listed_and_nothing_is_touched(home, tapewatch, kind):
    done = tapewatch("maintain", kind)

    assert done.code == 0, done.err
    assert done.out.startswith(f"{kind} maintenance ")
    assert done.out.endswith(f"tapewatch maintain {kind} --apply\n")
    assert kind in listed()
    assert not home.exists()
    steps = json.loads(tapewatch("maintain", kind, "--json").out)["steps"]
    assert all(step["told"] for step in steps)


def test_what_cannot_run_here_says_so_before(home, tapewatch):
    steps = json.loads(tapewatch("maintain", "monthly", "--json").out)["steps"]

    told = {step["step"]: step["not_run"] for step in steps}
    assert told["audit export"] == told["audit drill"]
    assert "SUPABASE_DB_URL is not set" in told["audit export"]
    assert told["compliance default"] is None


def test_a_checklist_is_kept_and_told(home, tapewatch):
    done = tapewatch("maintain", "annual", "--apply")

    assert done.code == 0, done.err
    assert "by hand" in done.out
    assert "review the days under [retention]" in done.out
    (kept,) = (home / "data" / "maintenance").glob("*_annual.json")
    told = json.loads(kept.read_bytes())
    assert {step["outcome"] for step in told["steps"]} == {"by hand"}
    assert told["by"]


def test_a_measurement_is_held_to_the_last_of_its_kind(tmp_path):
    file = tmp_path / "kept" / "benchmarks.jsonl"

    first = keep_and_compare(file, QUESTION, 2.0, NOW)
    other = keep_and_compare(file, {**QUESTION, "threads": 4}, 9.0, NOW)
    again = keep_and_compare(file, QUESTION, 3.0, NOW)

    assert first == "2.00 s; nothing of its kind was kept before"
    assert other == "9.00 s; nothing of its kind was kept before"
    assert again == "3.00 s; 2.00 s on 2026-01-01, +50%"


def test_more_than_twice_as_long_is_a_failure_and_kept_all_the_same(tmp_path):
    file = tmp_path / "benchmarks.jsonl"
    keep_and_compare(file, QUESTION, 2.0, NOW)
    keep_and_compare(file, QUESTION, 4.0, NOW)  # twice is not more than twice

    with pytest.raises(SlowerError, match=r"8\.02 s; 4\.00 s on 2026-01-01, \+100%"):
        keep_and_compare(file, QUESTION, 8.02, NOW)

    assert len(file.read_text().splitlines()) == 3


def test_a_second_maintenance_waits_no_longer_than_it_may(home, tapewatch, monkeypatch):
    monkeypatch.setenv("TAPEWATCH_MAINTENANCE__LOCK_MINUTES", "0")
    with hold_lock(home / "data" / "maintenance" / "lock", "weekly", NOW):
        done = tapewatch("maintain", "annual", "--apply")

    assert done.code == 75
    assert done.err.splitlines()[-1].startswith("TAPEWATCH-BUSY: ")
    assert not list((home / "data" / "maintenance").glob("*.json"))


def test_each_book_that_is_served_has_a_report_and_is_made_again(full_home, tapewatch):
    (full_home / "data" / "current" / "development-second").write_text("any\n")
    (full_home / "data" / "current" / "staging-third").write_text("any\n")

    def commands(kind):
        told = json.loads(tapewatch("maintain", kind, "--json").out)["steps"]
        return [step["command"] for step in told if "--portfolio" in step["command"]]

    assert commands("monthly") == [
        "tapewatch compliance --portfolio default",
        "tapewatch compliance --portfolio second",
    ]
    assert commands("quarterly") == [
        "tapewatch reproduce --portfolio default",
        "tapewatch reproduce --portfolio second",
    ]
