"""What a channel will never take: set apart, told in the fallback channel, tried again if asked."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.slack_server import Answer
from tests.warehouse.channel_desk import said, shown

DAY = timedelta(days=1)
DEVOPS, RISK, COMPLIANCE = "pipeline_failures", "risk_alerts", "compliance_updates"
GONE = Answer(404, "no_service")


@pytest.mark.parametrize(
    "answer",
    [Answer(403, "invalid_token"), Answer(404, "channel_not_found"), Answer(410, "is_archived")],
)
def test_what_is_refused_for_good_is_told_in_devops_once(desk, slack, answer):
    desk.seal(said("lost 1", COMPLIANCE), said("lost 2", COMPLIANCE))
    slack.answers += [answer, answer]

    result = desk.send()["compliance-updates"]
    for _ in range(2):
        desk.send()

    assert (result.refused, result.pending, result.error.code) == (2, 0, "SLACK_REFUSED")
    assert shown(slack, COMPLIANCE) == []
    assert len(desk.box(COMPLIANCE).backlog().refused) == 2  # what DeliveryRefused alerts on
    [text] = slack.texts(DEVOPS)
    assert "slack-compliance-updates refused what it was sent: SLACK_REFUSED" in text


def test_a_devops_channel_that_is_gone_has_nobody_else_to_tell(desk, slack):
    desk.seal(said("lost", DEVOPS))
    slack.answers.append(Answer(404, "no_service"))

    for _ in range(3):
        desk.send()

    assert slack.taken == []
    assert desk.box(DEVOPS).backlog().pending == 0


def test_what_was_refused_is_told_when_somebody_asks_for_it(desk, slack):
    desk.seal(said("lost"))
    slack.answers.append(Answer(404, "no_service"))
    desk.send()

    desk.box(RISK).retry_refused(datetime.now(UTC))
    asked = [*desk.layout.delivery.glob("*/*/asked_for/*")]
    desk.send()

    assert shown(slack) == ["lost"]
    assert len(asked) == 1  # so that its days count anew; nobody needs that afterwards
    assert [*desk.layout.delivery.glob("*/*/asked_for/*")] == []


def test_a_message_that_cannot_be_drawn_is_refused_and_holds_up_no_other(desk, slack):
    broken = said("broken")
    desk.seal(replace(broken, facts={}), said("after it"))

    result = desk.send()["risk-alerts"]

    assert shown(slack) == ["after it"]
    assert (result.sent, result.refused, result.error.code) == (1, 1, "MESSAGE_NOT_DRAWN")


def test_a_message_that_was_not_taken_for_a_week_is_given_up_and_that_is_told(desk, slack):
    begun = desk.layout.delivery / "staging/slack-risk-alerts/begun.json"
    begun.write_text(json.dumps((datetime.now(UTC) - 20 * DAY).isoformat()))
    desk.seal(said("old"), ago=8 * DAY)
    desk.seal(said("new"), ago=6 * DAY)

    result = desk.send()["risk-alerts"]
    desk.send()

    assert shown(slack) == ["new"]
    assert result.refused == 1
    assert "took too long: 1 item given up" in slack.texts(DEVOPS)[0]


def test_a_message_that_was_altered_after_its_seal_is_not_told(desk, slack):
    folder: Path = desk.seal(said("true"))
    path = folder / "messages.json"
    path.write_text(path.read_text().replace("true", "false"))

    result = desk.send()["risk-alerts"]

    assert shown(slack) == []
    assert (result.refused, result.error.code) == (1, "HASH_MISMATCH")


def test_a_second_refusal_of_a_day_is_told_as_well(desk, slack):
    for number in (1, 2):
        desk.seal(said(f"lost {number}"))
        slack.answers.append(GONE)
        desk.send()
    desk.send()

    assert [block_of(payload, 2) for payload in sent_to(slack, DEVOPS)] == [
        "1 item will not be sent again by itself. Once mended: `tapewatch deliver "
        "--retry-refused`.",
        "2 items will not be sent again by themselves. Once mended: `tapewatch deliver "
        "--retry-refused`.",
    ]


def test_a_critical_message_that_is_refused_is_told_itself_in_devops(desk, slack):
    desk.seal(said("PAR 90 is critical", severity="critical"), said("the weather"))
    slack.answers += [GONE, GONE]

    desk.send()
    desk.send()

    assert shown(slack, RISK) == []
    notice, alert = sorted(sent_to(slack, DEVOPS), key=lambda told: "refused" not in told["text"])
    assert "slack-risk-alerts refused what it was sent" in notice["text"]
    assert block_of(alert, 1).startswith("`slack-risk-alerts` did not take this")
    assert block_of(alert, 2) == "PAR 90 is critical"


def test_what_is_refused_is_told_in_the_same_delivery(desk, slack):
    desk.seal(*(said(f"lost {n}", COMPLIANCE, severity="critical") for n in range(3)))
    slack.answers += [GONE] * 3

    results = desk.send()

    assert (results["compliance-updates"].refused, results["pipeline-failures"].sent) == (3, 4)
    assert len(sent_to(slack, DEVOPS)) == 4  # the notice of three, and each of them


def test_a_critical_message_that_devops_refuses_as_well_goes_round_no_further(desk, slack):
    desk.seal(said("lost", severity="critical"))
    slack.always = GONE

    for _ in range(3):
        desk.send()

    slack.always = None
    desk.send()
    assert slack.taken == []
    assert len(desk.box(DEVOPS).refused()) == 2  # the notice and the message


@pytest.fixture
def old(desk):
    """Seal a message that its channel, told for weeks, has not taken for eight days."""
    begun = desk.layout.delivery / "staging/slack-risk-alerts/begun.json"
    begun.write_text(json.dumps((datetime.now(UTC) - 20 * DAY).isoformat()))
    return desk.seal(said("old", severity="critical"), ago=8 * DAY)


def test_what_was_given_up_is_sent_when_somebody_asks_for_it(desk, slack, old):
    desk.send()
    assert shown(slack) == []

    desk.box(RISK).retry_refused(datetime.now(UTC))
    result = desk.send()["risk-alerts"]

    assert shown(slack) == ["old"]
    assert (result.sent, result.refused, result.error) == (1, 0, None)


def test_what_somebody_asked_for_is_given_up_again_after_as_many_days(desk, slack, old):
    desk.send()

    desk.box(RISK).retry_refused(datetime.now(UTC) - 8 * DAY)
    result = desk.send()["risk-alerts"]

    assert (result.sent, result.refused, result.error.code) == (0, 1, "MESSAGE_EXPIRED")


def test_what_was_given_up_says_who_did_not_take_it_and_what_to_do(desk, slack, old):
    error = desk.send()["risk-alerts"].error

    assert re.fullmatch(
        r"slack-risk-alerts did not take message [0-9a-f]{8} in 7 days", error.message
    )
    assert error.fix.endswith("tapewatch deliver --retry-refused")
    titles = [payload["text"] for payload in sent_to(slack, DEVOPS)]
    assert "📪 [staging] slack-risk-alerts took too long: 1 item given up" in titles


def sent_to(slack, route):
    return [payload for where, payload in slack.taken if where == route]


def block_of(payload, number):
    return payload["blocks"][number]["text"]["text"]
