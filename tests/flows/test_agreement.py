"""After a backfill and two days with planted moves, all that people read says the same."""

import html
import json
from datetime import date, timedelta
from decimal import Decimal

import pytest

from deployments.cli import run_command
from settings.kpis import find_kpi, move_text
from tests.flows.artifacts import newest_artifacts
from tests.warehouse.tape_builder import Tape
from warehouse.sealed_changes import read_changes

EARLIEST, YESTERDAY, TODAY = date(2025, 12, 20), date(2025, 12, 26), date(2025, 12, 27)


def tape():
    """Return a book in which five things happen on TODAY, after 40 quiet months."""
    tape = Tape().loan("OLD", disbursed="2025-01-05", principal=1_000, due="2026-06-30")
    lent = YESTERDAY - timedelta(days=220)
    for name, principal, late in (("CROSSES-90", 60, 90), ("IS-LOST", 40, 181)):
        tape.loan(name, disbursed=lent, principal=principal, due=TODAY - timedelta(days=late))
    tape.loan("PAYS", disbursed=lent, principal=500, due="2026-03-01", payments=[(TODAY, 100)])
    tape.loan("LEAVES", disbursed=lent, principal=200, due="2026-03-01", payments=[(TODAY, 200)])
    return tape.loan("COMES", disbursed=TODAY, principal=150, due="2026-03-01")


@pytest.fixture(scope="module")
def told(prefect_server, tmp_path_factory):
    """The second of two days on Prefect, after a backfill, and all that it left to be read."""
    from flows.backfill import backfill
    from flows.daily import daily

    root = tmp_path_factory.mktemp("told")
    folder = tape().write(root / "tape")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIPELINE_ENV", "development")
        patch.setenv("TAPEWATCH_DATA_DIR", str(root))
        daily(inputs=[folder], as_of=EARLIEST, portfolio="agree")
        backfill(portfolio="agree")
        daily(inputs=[folder], as_of=YESTERDAY, portfolio="agree")
        yield daily(inputs=[folder], as_of=TODAY, portfolio="agree")


def asked(capsys, *command):
    capsys.readouterr()
    assert run_command([*command, "--portfolio", "agree", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def plain(text):
    return html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.slow
def test_report_artifacts_and_command_line_agree_to_the_last_digit(told, capsys):
    changed = {kpi["kpi"]: kpi for kpi in asked(capsys, "changed")["kpis"]}
    page = plain((told.log_folder / "report.html").read_text())
    shown = newest_artifacts()
    table = {row["KPI"]: row for row in json.loads(shown["kpis-agree"].data)}
    story = shown["what-changed-agree"].data

    # before: 40 of 1,000 + 60 + 40 + 500 + 200; now: 60 of 1,000 + 60 + 400 + 150
    par_90 = changed["par_90"]
    assert (par_90["before"], par_90["now"]) == ("0.022222", "0.037267")
    assert par_90["move"] == "0.015045"
    assert changed["outstanding"]["move"] == "-190.000000"
    parts = {part["name"] for part in par_90["parts"]}
    assert parts == {"new_delinquency", "write_off", "payment", "payoff", "origination"}

    assert {c.kpi: c.move for c in read_changes(told.sealed).kpis} == {
        name: None if kpi["move"] is None else Decimal(kpi["move"]) for name, kpi in changed.items()
    }
    for name, kpi in changed.items():
        entry, now = find_kpi(name), kpi["now"] and Decimal(kpi["now"])
        assert table[entry.title]["value"] == entry.format(now)
        assert entry.format(now) in page
        if kpi["move"] is None:
            continue
        assert sum(Decimal(part["amount"]) for part in kpi["parts"]) in (0, Decimal(kpi["move"]))
        since = f"{move_text(kpi['unit'], Decimal(kpi['move']), is_exact=True)} since {YESTERDAY}"
        assert (since in story) == bool(Decimal(kpi["move"])), name
        assert not entry.is_headline or since in page
        for part in kpi["parts"]:
            amount = move_text(kpi["unit"], Decimal(part["amount"]), is_exact=True)
            assert f'<td class="number">{amount}</td>' in page, (name, part)


@pytest.mark.slow
def test_the_figures_of_the_charts_are_those_of_the_history(told, capsys):
    page = plain((told.log_folder / "report.html").read_text())
    (course,) = asked(capsys, "history", "par_90")["kpis"]

    by_day = {point["as_of"]: point for point in course["points"]}
    assert by_day[str(TODAY)]["value"] == "0.037267"
    assert {by_day[day]["source"] for day in ("2025-11-30", "2025-06-30")} == {"backfill"}
    for day in ("2025-06-30", "2025-11-30", str(TODAY)):
        value = find_kpi("par_90").format(Decimal(by_day[day]["value"]))
        status = by_day[day]["status"]
        row = page.partition(f'<th scope="row">{day}</th>')[2].partition("</tr>")[0]
        assert value in row
        assert status == "ok" or f"{value} {status}" in row
