"""PAR 90 beside what is written off: a loan that leaves it unpaid is no recovery."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from blocks.clients.slack_messages import page_of, render
from deployments.observe.stand_ins import Heard
from tests.warehouse.messages_by_hand import MONDAY, SETTINGS, manifest_of, news_of, value_of
from warehouse.message_rules import decide_messages
from warehouse.run_folder import SealedRun

SUNDAY = MONDAY - timedelta(days=1)


def part(name, title, amount, loans):
    return {"name": name, "title": title, "amount": amount, "loans": loans, "book": None}


OFF = part("write_off", "Write-offs", "-0.031", 12)
PAID = part("payoff", "Payoffs", "-0.009", 4)
LATE = part("new_delinquency", "New delinquencies", "0.005", 2)


def run_of(par_90, *parts, written_off=151994.63):
    """Return what a Monday says after a Sunday with 5.6 % and 140,000.00 written off."""
    before = {"par_90": 0.056, "written_off": 140000}
    then = SealedRun(None, manifest_of(SUNDAY, [value_of(k, v, SUNDAY) for k, v in before.items()]))
    values = {"par_90": par_90, "written_off": written_off}
    news = news_of(MONDAY, values, near={"day": then})
    change = {"since": SUNDAY.isoformat(), "parts": list(parts), "loans": []}
    return decide_messages(replace(news, changes={"par_90": change})).messages


def recovered(par_90, *parts, told="critical"):
    said = next(m for m in run_of(par_90, *parts) if m.kind == "daily_summary")
    facts = next(kpi for kpi in said.facts["kpis"] if kpi["kpi"] == "par_90")
    facts = {**facts, "state": "ok", "told": told}
    return page_of(replace(said, kind="recovered", subject="par_90", facts=facts))


def told(page):
    return "\n".join(block.text.text for block in page.blocks)


@pytest.mark.parametrize("kind", ["kpi_alert", "daily_summary", "executive_briefing"])
def test_every_message_with_par_90_tells_what_is_written_off_and_its_move(kind):
    pages = [page_of(m) for m in run_of(0.06, LATE) if m.kind == kind]

    assert pages
    for page in pages:  # 151,994.63 - 140,000.00
        assert "Written off: 151,994.63 USD, +11,994.63 USD since yesterday" in told(page)


def test_a_tape_that_tells_no_write_offs_says_that_they_are_unknown():
    page = next(page_of(m) for m in run_of(0.06, LATE, written_off=None) if m.kind == "kpi_alert")

    assert "Written off: unknown" in told(page)


def test_a_kpi_that_was_paid_back_inside_its_lines_has_recovered():
    page = recovered(0.02, PAID, part("write_off", "Write-offs", "-0.008", 1), LATE)

    assert (page.icon, page.title) == ("✅", "PAR 90 has recovered: 2.00 %")


def test_a_kpi_that_write_offs_brought_inside_its_lines_has_not_recovered():
    page = recovered(0.021, OFF, PAID, LATE)

    assert page.icon != "✅"
    assert page.title == "PAR 90 is inside its lines again, by write-offs: 2.10 %"
    assert "no recovery. It was write-offs -3.10 pp (12 loans) that did most" in told(page)


def test_a_kpi_that_write_offs_made_less_bad_is_told_so_too():
    page = recovered(0.04, OFF, told="critical")

    assert page.title == "PAR 90 is no longer critical, by write-offs: 4.00 %"


def test_a_kpi_whose_move_is_not_told_in_parts_has_recovered():
    assert recovered(0.02).title == "PAR 90 has recovered: 2.00 %"


@pytest.mark.parametrize("parts", [(PAID,), (OFF,)], ids=["paid", "written-off"])
def test_a_drill_takes_both_for_the_end_of_an_alert(parts):
    said = next(m for m in run_of(0.06) if m.kind == "kpi_alert" and m.route == "risk_alerts")
    facts = {**said.facts, "status": "ok", "parts": list(parts), "since": "2025-12-07"}
    heard = Heard(frozenset({"#risk-monitoring"}))

    payload = render(replace(said, kind="recovered", facts=facts), SETTINGS.alerting)
    heard.take("/slack/%23risk-monitoring", json.dumps(payload).encode())

    assert heard.refused == []
    assert heard.states("#risk-monitoring") == ["resolve"]
