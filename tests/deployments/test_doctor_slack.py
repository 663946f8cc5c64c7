"""What the doctor says of Slack: which channels can be reached, and what waits for each."""

import json

import pytest

from tests.slack_server import Answer, serve_slack


@pytest.fixture
def slack():
    with serve_slack() as served:
        yield served


def found(tapewatch, check):
    checks = json.loads(tapewatch("doctor", "--json").out)["checks"]
    return next(told for told in checks if told["check"] == check)


def test_without_slack_nobody_is_told_there_and_that_is_well(full_home, tapewatch):
    assert found(tapewatch, "slack")["verdict"] == "ok"


def test_a_channel_that_nothing_leads_to_is_named(full_home, tapewatch, monkeypatch):
    monkeypatch.setenv("SLACK_WEBHOOK_RISK_ALERTS", "T/B/canary")

    told = found(tapewatch, "slack")

    assert told["verdict"] == "warning"
    assert "#compliance-team" in told["found"]
    assert "#risk-monitoring" not in told["found"]


def test_what_a_channel_does_not_take_and_what_it_refused_is_told(
    full_home, tapewatch, monkeypatch, slack
):
    monkeypatch.setenv("SLACK_WEBHOOK_DAILY_SUMMARY", slack.hook("daily_summary"))
    slack.always = Answer(503)
    assert tapewatch("deliver").code == 69
    assert "slack-daily-summary: 1 pending" in found(tapewatch, "deliveries")["found"]

    slack.always = Answer(404, "no_service")
    assert tapewatch("deliver").code == 65
    refused = found(tapewatch, "deliveries")
    assert "refused 1" in refused["found"]
    assert "--retry-refused" in refused["fix"]

    slack.always = None
    assert tapewatch("deliver", "--retry-refused").code == 0
    assert found(tapewatch, "deliveries")["verdict"] == "ok"
    assert len(slack.texts("daily_summary")) == 1
