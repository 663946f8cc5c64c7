"""From sealed runs to the channels: once, oldest first, whatever Slack does meanwhile."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from settings.alerting import ROUTES
from tests.slack_server import TOKEN, Answer
from tests.warehouse.channel_desk import ChannelDesk, said, shown
from tests.warehouse.messages_by_hand import MONDAY, news_of
from warehouse.delivery import failures
from warehouse.message_box import MessageBox
from warehouse.message_rules import decide_messages
from warehouse.withdrawn import withdraw

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEVOPS, RISK, COMPLIANCE = "pipeline_failures", "risk_alerts", "compliance_updates"


def test_every_message_is_told_once_and_oldest_first(desk, slack):
    for hours, text in ((1, "late"), (3, "first"), (2, "then")):
        desk.seal(said(text), ago=hours * HOUR)

    results = [desk.send()["risk-alerts"] for _ in range(2)]

    assert shown(slack) == ["first", "then", "late"]
    assert [(r.sent, r.pending, r.error) for r in results] == [(3, 0, None), (0, 0, None)]


def test_each_channel_gets_its_own(desk, slack):
    desk.seal(*(said(route, route) for route in ROUTES))

    desk.send()

    assert {route: shown(slack, route) for route in ROUTES} == {route: [route] for route in ROUTES}


def test_the_receipt_keeps_the_ref_and_slacks_name_of_the_message(tmp_path, slack):
    api = {"TAPEWATCH_INTEGRATIONS__SLACK__API_URL": slack.api, "SLACK_BOT_TOKEN": TOKEN}
    desk = ChannelDesk(tmp_path, slack, **api, SLACK_WEBHOOK_RISK_ALERTS="")
    desk.seal(said())

    desk.send()

    [path] = desk.layout.delivery.glob("staging/slack-risk-alerts/received/*")
    receipt = json.loads(path.read_bytes())
    assert (receipt["ts"], receipt["store"]) == ("1733.000001", "#risk-monitoring-staging")
    assert [receipt["ref"]] == slack.refs()


def test_a_slack_that_is_down_for_a_day_loses_nothing(desk, slack):
    slack.always = Answer(503)
    for hours in range(24, 0, -1):
        desk.seal(said(f"hour {hours}"), ago=hours * HOUR)
        assert desk.send(is_now=True)["risk-alerts"].error.code == "SLACK_UNAVAILABLE"
    assert slack.taken == []

    slack.always = None
    desk.send(is_now=True)

    assert shown(slack) == [f"hour {hours}" for hours in range(24, 0, -1)]
    assert len(set(slack.refs())) == 24


def test_one_dead_channel_holds_up_no_other_and_no_run(desk, slack):
    desk.seal(*(said(route, route) for route in ROUTES))
    slack.answers.append(Answer(how="hang"))  # whichever comes first
    started = time.monotonic()

    results = desk.send(seconds=4.0)

    assert time.monotonic() - started < 5
    assert sorted(result.sent for result in results.values()) == [0, 1, 1, 1, 1]


def test_what_is_held_back_goes_before_a_critical_message_that_follows_it(desk, slack):
    """Three days are caught up within minutes: the last word is the last day's."""
    for minutes, text, severity in (
        (10, "in warning", "warning"),
        (5, "has recovered", "info"),
        (1, "is critical", "critical"),
    ):
        desk.seal(said(text, severity=severity, subject="x"), ago=timedelta(minutes=minutes))

    desk.send()

    assert shown(slack) == ["in warning", "has recovered", "is critical"]


def test_an_answer_429_is_waited_out_and_not_slept_through(desk, slack):
    desk.seal(said("one"), said("two"))
    slack.answers.append(Answer(429, headers={"Retry-After": "600"}))
    started = time.monotonic()

    first = desk.send()["risk-alerts"]
    asked = desk.send(is_now=True)["risk-alerts"]  # also for a person who asks

    state = desk.box(RISK).state()
    wait = state.not_before - datetime.now(UTC)
    assert (first.error.code, first.pending, asked.is_waiting) == ("RATE_LIMITED", 2, True)
    assert timedelta(seconds=590) < wait <= timedelta(seconds=600)
    assert (slack.tries, time.monotonic() - started < 10) == (1, True)


def test_a_retry_after_of_years_silences_nobody_for_longer_than_an_hour(desk, slack):
    desk.seal(said())
    slack.answers.append(Answer(429, headers={"Retry-After": "999999999"}))

    desk.send()

    assert desk.box(RISK).state().not_before <= datetime.now(UTC) + HOUR


def test_a_channel_that_asked_to_wait_is_no_failure_of_a_delivery(desk, slack):
    desk.seal(said("one"))
    slack.answers.append(Answer(429, headers={"Retry-After": "600"}))

    waits = failures([*desk.send().values()])
    slack.answers.append(Answer(503))
    desk.rest_is_over()
    fails = failures([*desk.send().values()])

    assert (waits, [error.code for error in fails]) == ([], ["SLACK_UNAVAILABLE"])


def test_messages_of_two_kinds_about_one_thing_are_kept_apart_as_well(desk, slack):
    minutes = timedelta(minutes=1)
    alert = said("PAR 90 is in warning", subject="par_90")
    desk.seal(alert, ago=10 * minutes)
    better = news_of(MONDAY, {"par_90": 0.04})
    [back] = [m for m in decide_messages(better).messages if m.route == RISK]
    desk.seal(replace(back, kind="reminder"), ago=5 * minutes)

    result = desk.send()["risk-alerts"]

    assert (result.sent, result.pending) == (1, 1)


def test_two_portfolios_at_once_hold_each_other_up_in_nothing(desk, slack):
    story = decide_messages(news_of(MONDAY, {"par_90": 0.04})).messages
    for minutes, name in ((3, "lender-a"), (2, "lender-b")):
        told = (replace(message, portfolio=name) for message in story)
        desk.seal(*told, ago=minutes * timedelta(minutes=1))

    results = desk.send()

    assert results["risk-alerts"].pending == results["daily-summary"].pending == 0
    assert slack.texts(RISK) == [
        "🟡 [staging] lender-a · PAR 90 is in warning: 4.00 %",
        "🟡 [staging] lender-b · PAR 90 is in warning: 4.00 %",
    ]
    assert [text.split(" · ")[0] for text in slack.texts("daily_summary")] == [
        "🟡 [staging] lender-a",
        "🟡 [staging] lender-b",
    ]


def test_a_message_waits_for_its_time(desk, slack):
    later = datetime.now(UTC) + HOUR
    desk.seal(said("monday", not_before=later), said("now"))

    result = desk.send()["risk-alerts"]

    assert shown(slack) == ["now"]
    assert (result.pending, desk.box(RISK).backlog().oldest) == (1, later)


def test_two_messages_about_one_thing_come_a_quarter_of_an_hour_apart(desk, slack):
    minutes = timedelta(minutes=1)
    desk.seal(said("PAR 90 once", subject="par_90"), ago=30 * minutes)
    desk.seal(said("PAR 90 again", subject="par_90"), ago=5 * minutes)
    desk.seal(said("PAR 90 at once", subject="par_90"), ago=2 * minutes)
    desk.seal(said("another", subject="rdr_90"), ago=1 * minutes)

    result = desk.send()["risk-alerts"]

    assert shown(slack) == ["PAR 90 once", "PAR 90 again", "another"]
    assert (result.sent, result.pending, result.error) == (3, 1, None)


def test_a_critical_message_waits_for_none_about_the_same_thing(desk, slack):
    minutes = timedelta(minutes=1)
    worse = {"subject": "par_90", "severity": "critical"}
    desk.seal(said("in warning", subject="par_90"), ago=12 * minutes)
    desk.seal(said("critical", **worse), ago=8 * minutes)
    desk.seal(said("beyond all lines", **worse), ago=4 * minutes)

    desk.send()

    assert shown(slack) == ["in warning", "critical", "beyond all lines"]


def test_a_run_that_was_taken_back_has_no_more_to_say(desk, slack):
    folder = desk.seal(said("wrong figures"))
    desk.seal(said("right figures"))
    withdraw(desk.layout, folder.name, "another", "wrong", datetime.now(UTC), "test")

    desk.send()

    assert shown(slack) == ["right figures"]


def test_who_is_told_for_the_first_time_is_not_told_of_what_is_long_past(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack)
    desk.seal(said("long past"), ago=5 * DAY)
    desk.seal(said("news"), ago=HOUR)

    desk.send()
    result = desk.send()["risk-alerts"]

    assert shown(slack) == ["news"]
    assert (result.pending, result.refused) == (0, 0)


def test_to_send_all_again_repeats_no_message(desk, slack):
    desk.seal(said())
    desk.send()

    desk.send(is_again=True)

    assert len(slack.taken) == 1


def test_a_kill_between_answer_and_receipt_costs_one_repetition_with_the_same_ref(
    desk, slack, monkeypatch
):
    desk.seal(said("one"), said("two"))
    keep = MessageBox.keep_receipt

    def die(*_):
        raise KeyboardInterrupt  # the thread ends here, as a killed process would

    monkeypatch.setattr(MessageBox, "keep_receipt", die)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    desk.send()
    monkeypatch.setattr(MessageBox, "keep_receipt", keep)
    desk.send()

    assert shown(slack) == ["one", "one", "two"]
    assert slack.refs()[0] == slack.refs()[1]


def test_no_url_of_a_webhook_is_in_any_file(desk, slack, tmp_path):
    desk.seal(said())
    slack.answers.append(Answer(404, "no_service"))
    desk.send()

    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary" not in written
