"""The daily summary and the week's briefing: what their titles and lines say of a day."""

from datetime import UTC, datetime, timedelta

import pytest

from blocks.clients.slack_messages import page_of
from tests.warehouse.messages_by_hand import MONDAY, SETTINGS, manifest_of, news_of, value_of
from warehouse.message_rules import decide_messages
from warehouse.run_folder import SealedRun

SOME_APART = {"loans": 3, "bad_rows": 4, "rows": 10_000, "reasons": {}}
OFF_BY_ONE = {"matched": 99, "compared": 100}


def page(values=None, kind="daily_summary", **more):
    news = news_of(MONDAY, values or {"par_90": 0.02}, **more)
    return next(page_of(m) for m in decide_messages(news).messages if m.kind == kind)


def lines_of(made):
    return "\n".join(block.text.text for block in made.blocks)


def midnight_and(hours):
    """Return so many hours after the end of the day in El Salvador, six hours behind UTC."""
    return datetime(2025, 12, 9 + hours // 24, 6 + hours % 24, tzinfo=UTC)


def test_a_day_with_nothing_wrong_is_green_and_says_so():
    made = page()

    assert (made.icon, made.title) == ("🟢", "Summary of 2025-12-08: all inside their lines")
    assert "🟢 *Tape* nothing set apart; 0 of 1 checks found rows" in lines_of(made)


@pytest.mark.parametrize(
    ("hours", "icon", "said"),
    [
        (8, "🟢", ""),
        (9, "🟡", "; 9.0 h old"),
        (13, "🔴", "; 13.0 h old"),
    ],
)
def test_old_figures_show_in_the_light_and_the_title(hours, icon, said):
    made = page(created_at=midnight_and(hours))

    assert (made.icon, made.title) == (
        icon,
        f"Summary of 2025-12-08: all inside their lines{said}",
    )


def test_an_age_of_years_has_a_comma_for_its_thousands():
    made = page(created_at=datetime(2026, 12, 9, 6, tzinfo=UTC))  # 365 days x 24

    assert "8,760.0 h old" in made.title
    assert "🔴 *Freshness* 8,760.0 h after the end of the day, critical" in lines_of(made)


def test_one_snapshot_row_that_does_not_reconcile_turns_the_day_red():
    made = page(quality={"reconciliation": OFF_BY_ONE})

    assert made.icon == "🔴"
    assert made.title.endswith("inside their lines; 1 of 100 snapshot rows unreconciled")
    assert "🔴 *Reconciliation* 99 of 100 snapshot rows" in lines_of(made)


@pytest.mark.parametrize(
    ("ratio", "icon"), [("0.0004", "🟡"), ("0.001", "🟡"), ("0.0011", "🟡"), ("0.0051", "🔴")]
)
def test_loans_that_were_set_apart_show_below_their_lines_too(ratio, icon):
    made = page(quality={"quarantine": {**SOME_APART, "row_ratio": ratio}})

    assert made.icon == icon
    assert made.title.endswith("; 3 loans set apart")


def test_what_is_wrong_with_the_tape_stands_beside_what_is_wrong_with_the_book():
    made = page(
        {"par_90": 0.06, "collection_rate": 0.012, "rdr_90": None},
        quality={"quarantine": {**SOME_APART, "loans": 1, "row_ratio": "0.002"}},
        created_at=midnight_and(9),
    )

    assert made.icon == "🔴"
    assert made.title == (
        "Summary of 2025-12-08: 1 critical (PAR 90), 1 warning (Collection rate), "
        "1 unknown (Recovered default rate 90); 9.0 h old; 1 loan set apart"
    )


def test_the_table_is_measured_from_the_run_before_however_long_ago():
    day = MONDAY - timedelta(days=19)
    before = SealedRun(None, manifest_of(day, [value_of("outstanding", 900, day)]))
    made = page({"outstanding": 1000}, near={"day": before, "week": None, "month": before})

    assert "beside them         value  since 2025-11-19" in lines_of(made)
    assert "Outstanding  1,000.00 USD       +100.00 USD" in lines_of(made)


def test_a_first_day_says_once_that_there_is_nothing_to_compare_with():
    first = page({"par_90": 0.02, "collection_rate": 0.02})
    day = MONDAY - timedelta(days=1)
    before = SealedRun(None, manifest_of(day, [value_of("par_90", 0.02, day)]))
    second = page({"par_90": 0.02, "collection_rate": 0.02}, near={"day": before})

    assert lines_of(first).count("nothing earlier to compare with") == 1
    assert "nothing earlier" not in lines_of(second)


def test_the_briefing_says_what_speaks_against_its_figures():
    made = page(kind="executive_briefing", quality={"reconciliation": OFF_BY_ONE})

    assert made.title == (
        "Week's briefing: all inside their lines; 1 of 100 snapshot rows unreconciled"
    )


def test_a_summary_that_was_sealed_before_its_status_was_kept_is_still_drawn():
    news = news_of(MONDAY, {}, quality={"quarantine": {**SOME_APART, "row_ratio": "0.006"}})
    sealed = next(m for m in decide_messages(news).messages if m.kind == "daily_summary")
    sealed.facts.pop("quarantine_status")

    assert page_of(sealed).icon == "🟡"


def test_the_lines_of_these_tests_are_those_of_the_settings():
    lines = SETTINGS.operations
    assert (lines.freshness_hours.warning, lines.freshness_hours.critical) == (8, 12)
