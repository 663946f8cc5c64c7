"""What the compliance report of a month tells, and that its page is inert and whole."""

import hashlib
import json
import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from settings.who import user_name
from tests.prometheus.data_folder import CLEAN, DataFolder, kpi
from warehouse.attempt_folder import utc_text
from warehouse.compliance.changed import list_changes
from warehouse.compliance.facts import collect_compliance
from warehouse.compliance.month import MonthError, month_named
from warehouse.compliance.page import render_compliance, verdict
from warehouse.compliance.write import write_compliance
from warehouse.delivery_box import delivery_folder
from warehouse.durable import make_folder
from warehouse.manifest import MANIFEST
from warehouse.message_box import MessageBox, Posted
from warehouse.messages import Message, SealedMessages, write_messages
from warehouse.retention.apply import Order, retain
from warehouse.rollback_record import Decision, keep_rollback
from warehouse.verification import keep_part, keep_whole, verification_file
from warehouse.withdrawn import withdraw

ZONE = "America/El_Salvador"
NOW = datetime(2025, 4, 7, 8, tzinfo=UTC)
MIDDLE = datetime(2025, 3, 15, 9, tzinfo=UTC)
LONG_AGO = datetime(2025, 2, 15, 9, tzinfo=UTC)
HOSTILE = '<script>alert("x")</script>&<img src=https://x.example/y>'


@pytest.fixture
def home(tmp_path):
    return DataFolder(tmp_path)


def go_back(home, target, reason="wrong", taken=("2025-02-28-bbbbbbbb",)):
    told = {**target.manifest.ingestion, "attempt_id": "a", "received_at": utc_text(LONG_AGO)}
    quality = {"accepted_anomaly": None, **target.manifest.quality}
    manifest = replace(target.manifest, ingestion=told, quality=quality)
    decision = Decision(replace(target, manifest=manifest), None, taken, reason, MIDDLE, "0.1.0")
    keep_rollback(home.layout, decision)


def facts_of(home, month="2025-03", now=NOW):
    asked = month_named(month, ZONE, now)
    return collect_compliance(home.layout, home.settings, asked, now, "anna")


@pytest.mark.parametrize(
    ("now", "name"),
    [("2025-04-07", "2025-03"), ("2025-01-01T05:59", "2024-11"), ("2025-01-01T06:00", "2024-12")],
)
def test_without_a_name_it_is_the_month_that_is_over_where_the_portfolio_is(now, name):
    assert month_named(None, ZONE, datetime.fromisoformat(now).replace(tzinfo=UTC)).name == name


@pytest.mark.parametrize("name", ["2025-13", "2025-3", "march", "2025-05", "2025-03-01"])
def test_what_is_no_month_or_has_not_begun_is_refused(name):
    with pytest.raises(MonthError):
        month_named(name, ZONE, NOW)


def test_a_run_belongs_to_the_month_in_which_it_was_sealed_by_the_portfolios_clock(home):
    begin = datetime(2025, 3, 1, 6, tzinfo=UTC)  # midnight in El Salvador
    for n, at in enumerate((begin - timedelta(seconds=1), begin, MIDDLE)):
        home.publish(day=date(2025, 2, 25 + n), sealed_at=at)

    assert [run.as_of for run in facts_of(home).runs] == ["2025-02-26", "2025-02-27"]


def test_attempts_failures_and_breaches_are_told(home):
    home.publish(kpi("par_90", "0.041", "warning"), kpi("rdr_90", None), sealed_at=MIDDLE)
    home.attempt("good", "published", started=MIDDLE, seconds=75)
    home.attempt("bad", "failed", started=MIDDLE)
    home.attempt("other", "failed", started=MIDDLE, portfolio="second")
    home.attempt("april", "failed", started=NOW)

    facts = facts_of(home)

    assert facts.attempts == {"published": 1, "failed": 1}
    assert facts.longest_run_seconds == 75
    assert [(one.attempt, one.code) for one in facts.failures] == [("bad", "QUALITY_GATE")]
    assert [(b.kpi, b.value, b.status) for b in facts.breaches] == [
        ("PAR 90", "4.10 %", "warning"),
        ("Recovered default rate 90", "nothing was outstanding", "unknown"),
    ]
    assert verdict(facts).startswith("1 run, 1 failed attempt, 2 breaches, 0 exceptions accepted; ")


def test_a_message_counts_as_received_only_by_its_receipt(home):
    run = home.publish(sealed_at=MIDDLE)
    messages = tuple(
        Message(name, "kpi_alert", "risk_alerts", "warning", "default", "par_90", {})
        for name in ("arrived", "refused", "waits")
    )
    write_messages(run.folder, SealedMessages("production", MIDDLE, {}, messages))
    channel = delivery_folder(home.layout, "production") / "slack-risk-alerts"
    (make_folder(channel / "received") / "arrived.json").write_text("{}")
    (make_folder(channel / "refused") / "refused.json").write_text("{}")

    (told,) = facts_of(home).told

    assert (told.channel, told.kind, told.severity) == ("slack-risk-alerts", "kpi_alert", "warning")
    assert (told.messages, told.received, told.refused) == (3, 1, 1)
    assert (told.waiting, told.lapsed) == (1, 0)


def test_a_message_of_a_run_that_was_taken_back_is_awaited_by_nobody(home):
    run = home.publish(sealed_at=MIDDLE)
    message = Message("m", "kpi_alert", "risk_alerts", "warning", "default", "par_90", {})
    write_messages(run.folder, SealedMessages("production", MIDDLE, {}, (message,)))
    withdraw(home.layout, run.name, "2025-02-27-cccccccc", "wrong", MIDDLE, "0.1.0")

    (told,) = facts_of(home).told

    assert (told.messages, told.waiting, told.lapsed) == (1, 0, 1)


def test_failures_that_were_told_as_one_were_all_received(home):
    for hour in (1, 2):
        home.attempt(f"bad{hour}", "failed", MIDDLE + timedelta(hours=hour), code="NO_INPUT")
    home.attempt("good", "published", MIDDLE + timedelta(hours=3))
    attempts = home.layout.attempts / "good.json"
    record = json.loads(attempts.read_bytes())
    attempts.write_text(json.dumps({**record, "run_folder": "2025-03-15-aaaaaaaa"}))
    box = MessageBox(home.layout, "slack-pipeline-failures", "production")
    (one,), _ = box.due("", NOW, home.settings.delivery)
    assert one.message.subject == "healed"
    (before,) = facts_of(home).told

    box.keep_receipt(one, Posted("ref"), "slack", NOW)

    (after,) = facts_of(home).told
    assert (before.messages, before.received, before.waiting) == (2, 0, 2)
    assert (after.messages, after.received, after.waiting) == (2, 2, 0)


def test_a_run_that_cannot_be_read_is_named_and_is_a_problem(home):
    run = home.publish(sealed_at=MIDDLE)
    (run.folder / MANIFEST).write_text("{")

    facts = facts_of(home)

    assert (facts.runs, facts.unreadable) == ((), (run.name,))
    assert verdict(facts).endswith("; 1 problem of verification.")
    assert f"The run {run.name} cannot be read" in render_compliance(facts).decode()


def test_what_was_never_verified_is_not_called_sound(home):
    assert verdict(facts_of(home)).endswith("; nothing has been verified yet.")

    keep_whole(verification_file(home.layout, "production", "runs"), {}, MIDDLE)

    assert verdict(facts_of(home)).endswith(
        "; what was verified is sound, the audit store never verified, "
        "a restored export never verified."
    )


def test_who_canceled_a_run_did_not_fail(home):
    home.attempt("stopped", "canceled", started=MIDDLE)

    assert "0 failed attempts" in verdict(facts_of(home))


def test_records_that_a_hand_has_damaged_cost_only_themselves(home):
    target = home.publish(day=date(2025, 2, 27), sealed_at=LONG_AGO)
    go_back(home, target)
    for name in ("20250315T000000Z_weekly", "20250316T000000Z_weekly"):
        (make_folder(home.layout.maintenance) / f"{name}.json").write_text('{"kind": "weekly"}')
    whole = {"kind": "annual", "by": "anna", "at": utc_text(MIDDLE), "steps": []}
    (home.layout.maintenance / "20250317T000000Z_annual.json").write_text(json.dumps(whole))

    assert {one.what for one in facts_of(home).access} == {"maintenance", "rolled back"}


def test_who_accepted_what_who_went_back_and_what_retention_took_are_told(home):
    word = {"run": "2025-03-01-aaaaaaaa", "reason": "the lender sold a book", "by": "carla"}
    home.publish(
        day=date(2025, 3, 1), sealed_at=MIDDLE, quality={**CLEAN, "accepted_anomaly": word}
    )
    for portfolio in ("default", "second"):
        go_back(home, home.publish(day=date(2025, 2, 27), sealed_at=LONG_AGO, portfolio=portfolio))
    for name in ("20250101T000000Z_a", "20250102T000000Z_b"):
        make_folder(home.layout.log_runs / name)
    retain(home.layout, home.settings, (), Order("dora", MIDDLE), lambda _: None)

    told = [(one.by, one.what, one.why) for one in facts_of(home).access]

    assert sorted(told) == [
        ("carla", "exception accepted", "the lender sold a book"),
        ("dora", "log removed", "logs are kept for 30 days"),
        (user_name(), "rolled back", "wrong"),
    ]
    assert facts_of(home, "2025-04").access == ()


def test_going_forward_again_takes_no_run_back(home):
    target = home.publish(day=date(2025, 2, 27), sealed_at=LONG_AGO)
    go_back(home, target)
    go_back(home, target, taken=())

    assert {one.about for one in facts_of(home).access} == {
        f"2025-02-28-bbbbbbbb, served instead: {target.name}",
        f"{target.name} is served again",
    }


def test_a_change_is_told_once_with_what_it_was_and_is(home):
    days = [date(2025, 3, n) for n in (1, 2, 3)]
    zones = (ZONE, "America/Mexico_City", "America/Mexico_City")
    runs = [
        home.publish(day=day, time_zone=zone, sealed_at=MIDDLE + timedelta(days=n))
        for n, (day, zone) in enumerate(zip(days, zones, strict=True))
    ]

    (change,) = list_changes(runs, lambda _: True)

    assert (change.run, change.what) == (runs[1].name, "portfolio.time_zone")
    assert (change.before, change.after) == (ZONE, "America/Mexico_City")
    assert facts_of(home).changes == (change,)


def test_a_broken_chain_and_what_verifying_found_are_told(home):
    first = home.publish(day=date(2025, 3, 1), sealed_at=MIDDLE)
    home.publish(day=date(2025, 3, 2), sealed_at=MIDDLE, before=first)
    for kind, keep, found in (("runs", keep_whole, {}), ("audit", keep_part, {"run": 2})):
        keep(verification_file(home.layout, "production", kind), found, MIDDLE)
    sound = facts_of(home)

    manifest = first.folder / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")

    assert [run.chain for run in sound.runs] == ["the first of its book", "holds"]
    assert [(p.kind, p.verified_at, p.problems) for p in sound.proofs] == [
        ("runs", MIDDLE, {}),
        ("audit", None, {"run": 2}),
        ("drill", None, {}),
    ]
    assert verdict(sound).endswith("; 2 problems of verification.")
    assert [run.is_chain_sound for run in facts_of(home).runs] == [True, False]
    assert verdict(facts_of(home)).endswith("; 3 problems of verification.")


def test_the_page_loads_nothing_and_no_text_of_others_becomes_markup(home):
    word = {"run": HOSTILE, "reason": HOSTILE, "by": HOSTILE}
    home.publish(sealed_at=MIDDLE, quality={**CLEAN, "accepted_anomaly": word})
    go_back(home, home.publish(day=date(2025, 2, 27), sealed_at=LONG_AGO), HOSTILE)

    page = render_compliance(facts_of(home)).decode()

    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    (css,) = re.findall(r"<style>(.*)</style>", page, re.DOTALL)
    digest = b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page


def test_an_empty_month_has_a_page_as_well_and_both_files_tell_the_same(home):
    facts = facts_of(home)

    page, document = write_compliance(facts, home.layout)

    assert page.read_bytes() == render_compliance(facts)
    told = json.loads(document.read_bytes())
    assert (told["runs"], told["month"]["name"], told["made_by"]) == ([], "2025-03", "anna")
    assert "No run was sealed in this month." in page.read_text()
