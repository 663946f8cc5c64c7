"""From a published run to a person, through every real program and the shipped configuration.

Only clocks are shorter: see `prometheus.configuration.shortened`. One stack takes a minute, so one
test runs all cases in their order: each begins with what the ones before it published.
"""

import pytest

from tests.prometheus.stack import CALLED, watching

EXECUTIVE, RISK, DEVOPS = "#executive-briefing", "#risk-monitoring", "#devops-alerts"
CRITICAL = "P2 critical: PAR 90 of default is above its critical line"
TOLD = {"PagerDuty", EXECUTIVE, RISK}


def a_healthy_book_is_silence_but_for_the_heartbeat(stack):
    stack.listen()

    assert stack.heard.titles() == {}
    assert stack.active() == {"Watchdog"}


def par_90_beyond_its_critical_line_is_one_message_each_and_one_page(stack):
    heard = stack.heard
    published = stack.publish(par_90="0.062")
    stack.until(lambda: heard.told.keys() >= TOLD)
    stack.listen()

    assert heard.titles() == {where: [CRITICAL] for where in TOLD}
    [page], [executive], [risk] = (heard.told[w] for w in ("PagerDuty", EXECUTIVE, RISK))
    assert (executive.mention, risk.mention) == (CALLED["cfo"], "")
    assert (page.state, page.payload["payload"]["severity"]) == ("trigger", "error")
    [said] = risk.payload["attachments"]
    assert "is 6.2%, above the critical line of 5%" in said["text"]
    stack.publish_to_page = page.at - published


def a_recovery_is_called_resolved_wherever_the_alert_was_told(stack):
    heard = stack.heard
    stack.publish()
    stack.until(lambda: heard.told.keys() >= TOLD)
    stack.listen()

    states = {where: heard.states(where) for where in heard.told}
    assert states == {where: ["resolve"] for where in TOLD}
    assert not any(told.mention for told in heard.told[EXECUTIVE])
    assert stack.active() == {"Watchdog"}


def a_warning_is_told_in_its_channel_and_wakes_nobody(stack):
    heard = stack.heard
    stack.publish(par_90="0.04")
    stack.until(lambda: heard.told[RISK])
    stack.listen()

    assert heard.titles() == {RISK: ["P4 warning: PAR 90 of default is above its warning line"]}
    assert heard.states(RISK) == ["trigger"]


def a_message_that_slack_refuses_at_first_is_delivered_once_and_holds_up_no_page(stack):
    heard = stack.heard
    heard.answers[DEVOPS] = [429, 500]
    stack.attempt("failed", code="AUTH_EXPIRED")
    stack.until(lambda: heard.told[DEVOPS] and heard.told["PagerDuty"])
    stack.listen()

    title = "P1 critical: the last run of default: failed"
    assert heard.titles() == {"PagerDuty": [title], DEVOPS: [title]}
    assert heard.statuses[DEVOPS] == [429, 500, 200]
    assert heard.told[DEVOPS][0].mention == CALLED["sre-oncall"]
    assert heard.told["PagerDuty"][0].payload["payload"]["severity"] == "critical"


def a_dead_exporter_is_its_own_alert_and_calls_nothing_else_resolved(stack):
    heard = stack.heard
    before = {"KpiBeyondWarning", "RunFailed"}
    assert stack.active() == {"Watchdog", *before}
    stack.exporter.end()
    stack.until(lambda: heard.told[DEVOPS])
    stack.until(lambda: stack.active().isdisjoint(before))
    stack.listen()

    assert heard.titles() == {DEVOPS: ["P3 critical: the exporter cannot be scraped"]}
    assert heard.states(DEVOPS) == ["trigger"]


CASES = (
    a_healthy_book_is_silence_but_for_the_heartbeat,
    par_90_beyond_its_critical_line_is_one_message_each_and_one_page,
    a_recovery_is_called_resolved_wherever_the_alert_was_told,
    a_warning_is_told_in_its_channel_and_wakes_nobody,
    a_message_that_slack_refuses_at_first_is_delivered_once_and_holds_up_no_page,
    a_dead_exporter_is_its_own_alert_and_calls_nothing_else_resolved,
)


@pytest.mark.slow
def test_everybody_is_told_what_concerns_them_and_nothing_else(tmp_path, record_property):
    with watching(tmp_path) as stack:
        for case in CASES:
            stack.heard.forget()
            case(stack)
            assert not stack.heard.refused
    # scrape, evaluation and waiting take 1 + 1 + 2 s by these clocks; the rest is the way, and load
    assert stack.publish_to_page < 30
    record_property("publish_to_page_seconds", round(stack.publish_to_page, 2))
    print(f"publish to page: {stack.publish_to_page:.2f} s")  # noqa: T201 - shown by -s
