"""Who is told what of a run: once per change of state, and nobody twice."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.alerting import ROUTES
from settings.kpis import load_catalogue
from tests.warehouse.messages_by_hand import MONDAY, Story, news_of
from warehouse.message_rules import State, decide_messages, transition
from warehouse.near_runs import month_before

RISK, EXECUTIVE, COMPLIANCE = "risk_alerts", "executive_briefing", "compliance_updates"
TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = MONDAY + timedelta(days=2)
SOME_BAD = {"loans": 3, "bad_rows": 4, "rows": 1000, "reasons": {}}


@pytest.fixture
def story(tmp_path):
    return Story(tmp_path)


def test_a_healthy_run_gives_the_summary_and_the_briefing_of_its_week(story):
    said = story.run(MONDAY, {"par_90": 0.02}).messages

    assert [(m.kind, m.route) for m in said] == [
        ("daily_summary", "daily_summary"),
        ("executive_briefing", EXECUTIVE),
    ]


def test_a_kpi_beyond_its_warning_line_is_told_to_its_audience_but_not_to_executives(story):
    assert story.told(MONDAY, {"par_90": 0.04}) == [("kpi_alert", RISK, "par_90")]


def test_a_critical_par_90_is_told_to_executives_as_well(story):
    assert story.told(MONDAY, {"par_90": 0.06}) == [
        ("kpi_alert", RISK, "par_90"),
        ("kpi_alert", EXECUTIVE, "par_90"),
    ]


def test_a_red_kpi_is_told_once_and_then_reminded_of_each_day(story):
    story.run(MONDAY, {"par_90": 0.06})

    for day in (TUESDAY, WEDNESDAY):
        assert story.told(day, {"par_90": 0.06}) == [
            ("reminder", RISK, "par_90"),
            ("reminder", EXECUTIVE, "par_90"),
        ]


def test_a_restatement_of_the_same_day_reminds_nobody(story):
    story.run(MONDAY, {"par_90": 0.06})

    assert story.told(MONDAY, {"par_90": 0.06}, tape="b") == []


def test_a_kpi_that_is_well_again_is_told_to_all_who_heard_of_it(story):
    story.run(MONDAY, {"par_90": 0.06})

    assert story.told(TUESDAY, {"par_90": 0.02}) == [
        ("recovered", RISK, "par_90"),
        ("recovered", EXECUTIVE, "par_90"),
    ]
    assert story.told(WEDNESDAY, {"par_90": 0.02}) == []


def test_from_critical_to_warning_is_a_recovery_for_executives_and_an_alert_for_risk(story):
    story.run(MONDAY, {"par_90": 0.06})

    assert story.told(TUESDAY, {"par_90": 0.04}) == [
        ("kpi_alert", RISK, "par_90"),
        ("recovered", EXECUTIVE, "par_90"),
    ]


def test_beyond_the_escalation_line_is_a_state_of_its_own(story):
    story.run(MONDAY, {"par_90": 0.06})

    told = story.run(TUESDAY, {"par_90": 0.11}).messages
    alerts = [m for m in told if m.kind == "kpi_alert"]

    assert [(m.route, m.facts["state"], m.severity) for m in alerts] == [
        (RISK, "escalation", "critical"),
        (EXECUTIVE, "escalation", "critical"),
    ]


def test_an_unknown_kpi_alerts_and_is_no_recovery(story):
    story.run(MONDAY, {"par_90": 0.06})

    assert story.told(TUESDAY, {"par_90": None}) == [("kpi_alert", RISK, "par_90")]


def test_executives_hear_of_the_recovery_after_an_unknown_day(story):
    story.run(MONDAY, {"par_90": 0.06})
    story.run(TUESDAY, {"par_90": None})

    assert story.told(WEDNESDAY, {"par_90": 0.01}) == [
        ("recovered", RISK, "par_90"),
        ("recovered", EXECUTIVE, "par_90"),
    ]


def test_executives_hear_nothing_of_a_day_that_was_only_unknown(story):
    story.run(MONDAY, {"par_90": 0.01})
    story.run(TUESDAY, {"par_90": None})

    assert ("recovered", EXECUTIVE, "par_90") not in story.told(WEDNESDAY, {"par_90": 0.01})


def test_a_collection_rate_below_its_lines_goes_to_risk_alone(story):
    assert story.told(MONDAY, {"collection_rate": 0.009}) == [
        ("kpi_alert", RISK, "collection_rate")
    ]


@pytest.mark.parametrize(
    ("ratio", "kind"), [("0.002", "data_quality_notice"), ("0.006", "compliance_alert")]
)
def test_a_quarantine_above_its_line_is_told_to_compliance(story, ratio, kind):
    quality = {"quarantine": {**SOME_BAD, "row_ratio": ratio}}

    assert story.told(MONDAY, {}, quality) == [(kind, COMPLIANCE, "quarantine")]


def test_a_ledger_that_does_not_give_its_snapshots_is_told_to_compliance(story):
    quality = {"reconciliation": {"matched": 99, "compared": 100}}

    assert story.told(MONDAY, {}, quality) == [("compliance_alert", COMPLIANCE, "reconciliation")]
    assert story.told(TUESDAY, {}) == [("recovered", COMPLIANCE, "reconciliation")]


def test_a_restated_past_is_told_by_the_run_that_found_it(story):
    restated = {"run": "2025-12-07-aaaaaaaa", "as_of": "2025-12-07", "changed": 2, "kpis": []}
    story.run(MONDAY, {})

    assert story.told(TUESDAY, {}, {"restated": restated}) == [
        ("data_quality_notice", COMPLIANCE, "restated")
    ]
    assert story.told(WEDNESDAY, {}) == []


def test_a_check_that_newly_finds_rows_is_told_once(story):
    found = {"checks": {"apr_out_of_range": 7}, "failed": ["apr_out_of_range"]}
    story.run(MONDAY, {})

    assert story.told(TUESDAY, {}, found) == [("data_quality_notice", COMPLIANCE, "checks")]
    assert story.told(WEDNESDAY, {}, found) == []


def test_the_briefing_waits_for_monday_at_eight_in_the_portfolios_time_zone(story):
    sealed = story.run(MONDAY, {}, created_at=datetime(2025, 12, 8, 9, tzinfo=UTC))  # 03:00 there
    briefing = sealed.messages[-1]

    assert briefing.not_before == datetime(2025, 12, 8, 8, tzinfo=ZoneInfo("America/El_Salvador"))


def test_a_week_has_one_briefing_whatever_runs_in_it(story):
    def has_briefing(day, at):
        said = story.run(day, {}, created_at=at).messages
        return any(m.kind == "executive_briefing" for m in said)

    monday_night = datetime(2025, 12, 8, 9, tzinfo=UTC)
    days = [monday_night + timedelta(days=n) for n in range(8)]

    assert [has_briefing(MONDAY + timedelta(days=n), at) for n, at in enumerate(days)] == [
        *[True, False, False, False, False, False, False, True]
    ]


def test_a_message_has_the_same_id_whenever_the_same_run_says_it():
    first, again = (decide_messages(news_of(MONDAY, {"par_90": 0.06})) for _ in range(2))
    other = decide_messages(news_of(MONDAY, {"par_90": 0.06}, tape="b"))

    assert [m.id for m in first.messages] == [m.id for m in again.messages]
    assert not {m.id for m in first.messages} & {m.id for m in other.messages}
    assert len({m.id for m in first.messages}) == len(first.messages)


def test_a_kpi_that_a_tape_does_not_tell_keeps_what_was_told_of_it(story):
    story.run(MONDAY, {"par_90": 0.06})
    story.run(TUESDAY, {"collection_rate": 0.02})

    assert story.told(WEDNESDAY, {"par_90": 0.02}) == [
        ("recovered", RISK, "par_90"),
        ("recovered", EXECUTIVE, "par_90"),
    ]


def test_a_run_before_there_were_messages_is_not_told_again(story, tmp_path):
    story.run(MONDAY, {"par_90": 0.06})
    (story.served.folder / "messages.json").unlink()

    assert story.told(TUESDAY, {"par_90": 0.06}) == [
        ("reminder", RISK, "par_90"),
        ("reminder", EXECUTIVE, "par_90"),
    ]


def test_every_kpi_with_thresholds_alerts_its_audience_with_no_further_edit():
    beyond = {"lower": 10, "higher": -1}
    watched = [kpi for kpi in load_catalogue() if kpi.thresholds is not None]
    values = {kpi.name: beyond[kpi.direction] for kpi in watched}

    told = decide_messages(news_of(MONDAY, values)).messages
    alerts = {(m.subject, m.route) for m in told if m.kind == "kpi_alert"}

    assert alerts == {
        (kpi.name, route) for kpi in watched for route in kpi.audience if route != "daily_summary"
    }


def test_a_kpi_of_the_catalogue_names_only_routes_that_exist():
    assert {route for kpi in load_catalogue() for route in kpi.audience} <= set(ROUTES)


STATES = st.sampled_from(get_args(State))


@given(st.lists(STATES, min_size=1, max_size=30), st.sampled_from((RISK, EXECUTIVE)))
def test_what_was_told_last_is_always_how_it_is_as_far_as_the_audience_hears_of_it(days, route):
    told = "ok"
    spoken = ["ok"]
    for state in days:
        kind, told = transition(route, told, state, is_kpi=True, is_new_day=True)
        if kind in ("kpi_alert", "recovered"):
            assert told != spoken[-1]  # once per change
            spoken.append(told)
        assert (kind == "reminder") <= (told == spoken[-1] != "ok")
    assert told == spoken[-1]
    last = days[-1]
    if route == RISK:
        assert told == last
    elif last != "unknown":
        assert told == ("ok" if last == "warning" else last)


def test_the_month_before_is_the_same_day_or_the_last_one_there_is():
    assert month_before(date(2025, 12, 10)) == date(2025, 11, 10)
    assert month_before(date(2026, 3, 31)) == date(2026, 2, 28)
    assert month_before(date(2026, 1, 5)) == date(2025, 12, 5)
