"""The day's limit of messages: what counts, what is told all the same, and the digest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.slack_server import Answer
from tests.warehouse.channel_desk import ChannelDesk, said, shown
from tests.warehouse.messages_by_hand import MONDAY, news_of
from warehouse.message_rules import decide_messages

HOUR = timedelta(hours=1)
RISK, COMPLIANCE = "risk_alerts", "compliance_updates"


def test_beyond_the_days_limit_the_rest_is_one_digest_and_critical_ones_are_told(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="5")
    for number in range(8):
        desk.seal(said(f"n{number}"), ago=(20 - number) * HOUR)
    desk.seal(said("grave", severity="critical"), ago=HOUR)

    result = desk.send()["risk-alerts"]
    again = desk.send()["risk-alerts"]

    *told, grave, digest = [p for where, p in slack.taken if where == RISK]
    assert [p["blocks"][1]["text"]["text"] for p in told] == [f"n{n}" for n in range(5)]
    assert grave["blocks"][1]["text"]["text"] == "grave"
    assert "3 more messages of a busy day" in digest["text"]
    assert (result.sent, result.pending, again.sent, again.pending) == (9, 0, 0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(429, headers={"Retry-After": "600"}), id="rests"),
        pytest.param(Answer(503), id="fails"),
    ],
)
def test_a_channel_that_takes_nothing_takes_nothing_of_the_days_limit(tmp_path, slack, answer):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="2")
    desk.seal(*(said(f"n{number}", COMPLIANCE) for number in range(9)))
    slack.answers.append(answer)
    assert desk.send()["compliance-updates"].error is not None

    desk.seal(said("one"), said("two"))
    desk.send()

    assert shown(slack) == ["one", "two"]  # and no digest
    assert shown(slack, COMPLIANCE) == []
    assert len(desk.box(COMPLIANCE).pending()) == 9


def test_what_is_refused_leaves_its_place_to_the_next(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="1")
    broken = replace(said("broken"), facts={})
    desk.seal(broken, said("after it"))

    desk.send()

    assert shown(slack)[0] == "after it"


def test_the_summary_of_a_full_day_is_told_as_it_is(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="1")
    desk.seal(said("n1"))
    desk.send()
    summary = decide_messages(news_of(MONDAY, {"par_90": 0.02})).messages[0]
    desk.seal(summary)

    desk.send()

    [text] = slack.texts("daily_summary")
    assert "Summary of 2025-12-08: all inside their lines" in text


def test_a_day_has_one_digest_a_channel_and_what_comes_later_waits(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="1")
    desk.seal(said("n1"), said("n2"))
    desk.send()
    desk.seal(said("n3"))

    result = desk.send()["risk-alerts"]

    assert (result.sent, result.pending, len(slack.taken)) == (0, 1, 2)


def test_a_digest_that_is_refused_takes_all_it_stands_for_with_it(tmp_path, slack):
    desk = ChannelDesk(tmp_path, slack, TAPEWATCH_DELIVERY__MESSAGES_A_DAY="1")
    desk.seal(said("n1"))
    desk.send()
    desk.seal(said("n2"), said("n3"))
    slack.answers.append(Answer(410, "channel_is_archived"))

    result = desk.send()["risk-alerts"]

    assert (result.refused, result.pending) == (2, 0)
    assert len(desk.box(RISK).backlog().refused) == 2
