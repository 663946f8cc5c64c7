"""Every kind of message: it fits into Block Kit, says what it must, and no data acts in it."""

import json
import re
from dataclasses import replace
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.clients.slack_figures import moves
from blocks.clients.slack_kit import code, escape, link
from blocks.clients.slack_messages import render
from deployments.observe.block_kit import problems_of
from tests.blocks.every_message import (
    FLOW,
    OTHER,
    executives_alert,
    failure,
    messages_of_run,
    one_of_each,
    texts,
)
from warehouse.dead_letters import digest_message
from warehouse.messages import Kind


def test_there_is_a_page_for_every_kind():
    assert {message.kind for message in one_of_each()} == set(get_args(Kind))


@pytest.mark.parametrize("message", one_of_each(), ids=lambda m: f"{m.kind}-{m.subject[:10]}")
def test_a_message_fits_into_block_kit_shows_its_ref_and_calls_nobody_that_data_names(message):
    payload = render(message, OTHER, "ab" * 32)

    assert problems_of(payload) == []
    assert f"ref `{message.ref}`" in payload["blocks"][-1]["elements"][0]["text"]
    raw = json.dumps(payload, ensure_ascii=False)
    assert not re.search(r"<[!@#]|<http://evil", raw)
    assert "<!channel>" not in payload["text"]
    assert [payload[name] for name in ("link_names", "unfurl_links", "unfurl_media")] == [False] * 3
    assert all(
        element.get("verbatim")
        for block in payload["blocks"]
        for element in (block.get("elements") or [block["text"]])
        if element["type"] == "mrkdwn"
    )


def test_what_stands_in_markup_of_data_is_code():
    for message in one_of_each():
        for kind, text in texts(render(message, OTHER)):
            if kind == "mrkdwn" and "evil.example" in text:
                outside = re.sub(r"`[^`]*`", "", text)
                assert "evil.example" not in outside, (message.kind, text)


@pytest.mark.parametrize(
    ("message", "mention"),
    [
        (next(m for m in messages_of_run() if m.route == "executive_briefing"), "<@U0CFO>"),
        (failure()[0], "<!subteam^S0SRE>"),
        (failure()[1], "<@U0COUNSEL>"),
    ],
    ids=["cfo", "sre-oncall", "general-counsel"],
)
def test_who_is_called_is_said_by_one_side_alone(message, mention):
    flow, other = (json.dumps(render(message, side)) for side in (FLOW, OTHER))

    assert flow.count(mention) == 1
    assert mention not in other


def test_nobody_is_called_for_what_got_better_and_is_still_bad():
    [alert] = [
        m for m in messages_of_run() if m.route == "executive_briefing" and m.kind == "kpi_alert"
    ]
    better = replace(alert, facts={**alert.facts, "told": "escalation", "state": "critical"})

    assert "<@U0CFO>" in json.dumps(render(alert, FLOW))
    assert not re.search("<[!@]", json.dumps(render(better, FLOW)))


def test_an_alert_of_the_first_run_claims_nothing_of_what_was_told_before():
    [alert] = [
        m for m in messages_of_run() if m.route == "executive_briefing" and m.kind == "kpi_alert"
    ]

    assert alert.facts["told"] is None
    assert "when last told" not in json.dumps(render(alert, FLOW))


@pytest.mark.parametrize(
    ("week", "month", "words"),
    [
        ("2025-12-03", "2025-11-10", ["a week ago", "a month ago"]),
        ("2025-12-01", "2025-11-08", ["2025-12-01", "2025-11-08"]),  # the nearest there were
    ],
)
def test_a_move_names_the_day_it_is_measured_from_unless_it_is_exactly_a_week_or_month(
    week, month, words
):
    then = {"value": "0.01"}
    earlier = {"week": {**then, "as_of": week}, "month": {**then, "as_of": month}}
    facts = {"kpi": "par_90", "value": "0.02", "as_of": "2025-12-10", "earlier": earlier}

    assert [said.split(" since ")[1] for said in moves(facts)] == words


def test_a_reminder_a_recovery_and_a_summary_call_nobody():
    for message in one_of_each():
        if message.kind in (
            "reminder",
            "recovered",
            "daily_summary",
            "executive_briefing",
            "digest",
        ):
            assert not re.search("<[!@]", json.dumps(render(message, FLOW))), message.kind


def test_a_title_of_production_names_the_portfolio_alone():
    alert = executives_alert()
    live = replace(alert, portfolio="lender-b", facts={**alert.facts, "environment": "production"})

    for where in (render(live, FLOW)["text"], render(live, FLOW)["blocks"][0]["text"]["text"]):
        assert where == "🔴 lender-b · PAR 90 is critical: 5.30 %"


def test_a_notification_of_an_announcement_says_what_is_announced():
    said = next(m for m in one_of_each() if m.kind == "announcement")
    said = replace(
        said, facts={**said.facts, "text": "Rolled back to 0.1 & <all> well", "by": "ana"}
    )

    told = render(said, FLOW)["text"]

    assert told == "📣 [staging] Announcement: Rolled back to 0.1 &amp; &lt;all&gt; well (ana)"


def test_a_line_of_a_digest_names_whose_it_is():
    alert = executives_alert()
    others = [replace(alert, portfolio=name) for name in ("lender-a", "lender-b")]
    digest = digest_message("staging", "executive_briefing", "2025-12-08", others)

    told = "\n".join(text for _, text in texts(render(digest, FLOW)))

    assert "• 🔴 [staging] lender-a · PAR 90 is critical: 5.30 %, of 2025-12-08" in told
    assert "• 🔴 [staging] lender-b · PAR 90 is critical: 5.30 %, of 2025-12-08" in told


def test_a_kpi_alert_says_value_line_move_parts_and_loans():
    alert = next(m for m in messages_of_run() if m.kind == "kpi_alert")
    payload = render(alert, FLOW)
    told = "\n".join(text for _, text in texts(payload))

    assert payload["text"] == "🔴 [staging] default · PAR 90 is critical: 5.30 %"
    assert "above the critical line of 5.00 %" in told
    assert "+1.20 pp since yesterday; +2.30 pp since a week ago" in told  # 5.3 - 4.1, 5.3 - 3.0
    assert (
        "new delinquencies +1.31 pp (12 loans), cures -0.11 pp (1 loan, by a larger book)" in told
    )
    assert told.count("12,500.00") == 3
    assert "90 → 91" in told
    assert "<https://reports.example/logs/runs/20251209T090000Z_a0/report.html|Report>" in told
    assert "<https://docs.example/runbooks/KpiBeyondCritical.md|Runbook>" in told
    assert "<https://grafana.example|Dashboards>" in told


def test_the_summary_names_the_status_of_the_day_and_where_the_run_is_anchored():
    summary = next(m for m in messages_of_run(par_90=0.02) if m.kind == "daily_summary")
    payload = render(summary, FLOW, "ab" * 32)
    told = "\n".join(text for _, text in texts(payload))

    assert payload["text"] == "🟢 [staging] default · Summary of 2025-12-08: all inside their lines"
    assert "*Reconciliation* 100 of 100 snapshot rows" in told
    assert "ab" * 32 in told


@given(st.text(max_size=4000), st.integers(min_value=1, max_value=3000))
def test_escaped_data_has_no_control_character_of_slack_and_fits(text, limit):
    told = escape(text, limit)

    assert len(told) <= max(limit, 1)
    assert not re.search(r"[<>\n]|&(?!amp;|lt;|gt;)", told)
    assert "`" not in code(text)[1:-1]


@given(st.text(min_size=1, max_size=3000))
def test_any_text_of_an_error_gives_a_message_that_slack_takes(text):
    for message in failure(text):
        payload = render(message, OTHER)
        assert problems_of(payload) == []
        assert not re.search("<[!@#]", json.dumps(payload))


def test_a_link_stays_one_whatever_its_address_holds():
    assert link("https://x.example/?a=1&b=<2>|3", "Report") == (
        "<https://x.example/?a=1&amp;b=%3C2%3E%7C3|Report>"
    )


def test_an_amount_of_nothing_is_unchanged():
    run = messages_of_run(par_90=Decimal("0.041"))[-2]
    told = "\n".join(text for _, text in texts(render(run, FLOW)))

    assert "unchanged since yesterday" in told
