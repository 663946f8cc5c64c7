"""What a real run seals for Slack: the loans that moved a KPI, and nothing of a run not served."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from blocks.clients.slack_messages import render
from tests.warehouse.messages_by_hand import SETTINGS
from tests.warehouse.tape_builder import Tape, write_tables
from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk
from warehouse.backfill import PastDays, backfill
from warehouse.messages import check_messages, read_messages

ALERTING = SETTINGS.alerting
LATE = TODAY - timedelta(days=90)  # due then, it is 90 days past due today and was 89 yesterday


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "root")


@pytest.fixture
def tape(tmp_path):
    """Ten loans of 100, none paid: one reaches its 90th day today."""
    tape = Tape()
    for number in range(10):
        due = LATE if number == 0 else date(2026, 1, 25)
        begun = due - timedelta(days=30)
        tape.loan(f"L{number}", customer=f"CLI{number}", disbursed=begun, principal=100, due=due)
    return write_tables(tape.tables(), tmp_path / "tape")


def told(outcome):
    return {(m.kind, m.subject, m.route): m for m in read_messages(outcome.sealed.folder).messages}


def test_a_kpi_alert_tells_the_part_and_the_loan_that_moved_it(desk, tape):
    desk.run(tape, as_of=YESTERDAY)
    alert = told(desk.run(tape, as_of=TODAY))["kpi_alert", "par_90", "risk_alerts"]

    facts = alert.facts
    [part], [loan] = facts["parts"], facts["loans"]
    assert Decimal(facts["value"]) == Decimal("0.1")  # 100 / 1000
    assert (part["title"], Decimal(part["amount"]), part["loans"]) == (
        "New delinquencies",
        Decimal("0.1"),
        1,
    )
    assert (loan["days_past_due_before"], loan["days_past_due"]) == (89, 90)
    assert loan["loan"].startswith("#")
    assert facts["since"] == YESTERDAY.isoformat()


def test_the_story_of_two_days_as_people_read_it(desk, tape):
    """Yesterday nothing is late; today one loan of ten is 90 days late, and executives hear it."""
    said = [read_messages(desk.run(tape, as_of=d).sealed.folder) for d in (YESTERDAY, TODAY)]
    first, second = ({(m.route, m.kind): render(m, ALERTING) for m in s.messages} for s in said)

    title = {key: payload["text"].partition(" · ")[2] for key, payload in second.items()}
    assert not any("PAR 90 is" in payload["text"] for payload in first.values())
    assert title["executive_briefing", "kpi_alert"] == "PAR 90 is critical: 10.00 %"
    assert title["daily_summary", "daily_summary"].startswith("Summary of 2025-12-27: 3 critical")
    alert = "\n".join(
        block["text"]["text"]
        for block in second["executive_briefing", "kpi_alert"]["blocks"]
        if "text" in block
    )
    assert "*10.00 %* on 2025-12-27, above the critical line of 5.00 %." in alert
    assert "It was ok when last told." in alert
    assert "It moved: +10.00 pp since yesterday." in alert
    assert "since 2025-12-26: new delinquencies +10.00 pp (1 loan)." in alert
    assert "Written off: 0.00 USD, unchanged since yesterday." in alert
    assert "89 → 90" in alert
    assert ("executive_briefing", "executive_briefing") not in second  # one a week


def test_days_worked_out_before_tell_the_moves_since_a_week_and_a_month_ago(desk, tape, tmp_path):
    """Nine of the ten loans are of yesterday: until then there was one, not yet 90 days late."""
    first = desk.run(tape, as_of=YESTERDAY)
    days = PastDays(date(2025, 11, 25), date(2025, 12, 20), "day")
    backfill(desk.layout, first.sealed, desk.settings, days, NOW, lambda _done, _of: None)
    second = desk.run(tape, as_of=TODAY)
    bare = Desk(tmp_path / "bare")
    bare.run(tape, as_of=YESTERDAY)
    without = bare.run(tape, as_of=TODAY)

    alert = told(second)["kpi_alert", "par_90", "executive_briefing"]
    run = first.sealed.name
    assert alert.facts["earlier"] == {
        "day": {"as_of": "2025-12-26", "value": "0.000000"},
        "week": {"as_of": "2025-12-20", "value": "0.000000", "worked_out_from": run},
        "month": {"as_of": "2025-11-27", "value": "0.000000", "worked_out_from": run},
    }
    moved = str(render(alert, ALERTING)["blocks"])
    assert "since yesterday; +10.00 pp since a week ago (from the tape of 2025-12-26)" in moved
    assert "since a month ago (from the tape of 2025-12-26)." in moved
    # the history is no part of the question: same id, same messages but for these days
    assert without.sealed.manifest.run_id == second.sealed.manifest.run_id
    assert told(without).keys() == told(second).keys()
    assert "worked_out_from" not in (without.sealed.folder / "messages.json").read_text()
    # and what was sealed with them stays as it was sealed
    assert desk.run(tape, as_of=TODAY).sealed.manifest_sha256() == second.sealed.manifest_sha256()


def test_the_same_tape_again_seals_no_second_word(desk, tape):
    first = desk.run(tape, as_of=TODAY)
    again = desk.run(tape, as_of=TODAY)

    assert again.outcome == "already_published"
    assert again.sealed.folder == first.sealed.folder


def test_a_stored_backfill_says_nothing(desk, tape):
    desk.run(tape, as_of=TODAY)
    stored = desk.run(tape, as_of=YESTERDAY, backfill=True)

    assert stored.outcome == "stored"
    assert read_messages(stored.sealed.folder).messages == ()


def test_what_is_sealed_is_hashed_by_the_manifest(desk, tape):
    run = desk.run(tape, as_of=TODAY).sealed

    assert check_messages(run.folder) == run.manifest_sha256()
    assert run.manifest.files["messages.json"].rows is None


def test_no_customer_and_no_loan_id_is_in_what_a_run_says(desk, tape):
    desk.run(tape, as_of=YESTERDAY)
    run = desk.run(tape, as_of=TODAY).sealed

    text = (run.folder / "messages.json").read_text()
    assert "CLI0" not in text
    assert '"L0"' not in text


@pytest.mark.parametrize("damage", ["", "null", "[]", "{}", '{"messages": [{}]}', "\x00"])
def test_messages_that_cannot_be_read_hold_up_nobody(desk, tape, damage):
    run = desk.run(tape, as_of=TODAY).sealed
    (run.folder / "messages.json").write_text(damage)

    assert read_messages(run.folder) is None
