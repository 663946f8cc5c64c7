"""What a run says of the whole day is said by the run that stands, once: restated or taken back."""

import pytest

from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk, set_cell, write_good
from warehouse.message_box import MessageBox, Posted, channel_name
from warehouse.messages import read_messages
from warehouse.withdrawn import withdraw


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path / "root")


@pytest.fixture
def tape(tmp_path):
    return write_good(tmp_path / "tape")


def box(desk, route):
    return MessageBox(desk.layout, channel_name(route), desk.settings.environment)


def pending(desk, route, kind):
    return [item.run for item in box(desk, route).pending() if item.message.kind == kind]


def restated(desk, tape, number=3):
    """Run the tape of the same day again with another fee."""
    set_cell(tape, "loans", number, "total_fees", "1.25")
    return desk.run(tape, as_of=TODAY).sealed.folder


def sealed_briefings(folder):
    said = read_messages(folder).messages
    return [message.id for message in said if message.kind == "executive_briefing"]


def test_the_summary_and_the_briefing_of_a_restated_day_are_those_of_the_last_tape(desk, tape):
    desk.run(tape, as_of=TODAY)

    after = restated(desk, tape)

    assert pending(desk, "daily_summary", "daily_summary") == [after]
    assert pending(desk, "executive_briefing", "executive_briefing") == [after]


def test_a_briefing_that_was_read_is_not_sealed_again(desk, tape):
    desk.run(tape, as_of=TODAY)
    executives = box(desk, "executive_briefing")
    for item in executives.pending():
        executives.keep_receipt(item, Posted("ref"), "#executive-briefing", NOW)

    after = restated(desk, tape)

    assert sealed_briefings(after) == []
    assert pending(desk, "daily_summary", "daily_summary") == [after]


def test_the_briefing_of_a_run_that_was_taken_back_is_sealed_once_more(desk, tape):
    first = desk.run(tape, as_of=YESTERDAY).sealed.folder
    withdraw(desk.layout, first.name, "another", "wrong", NOW, "test")
    second = desk.run(tape, as_of=TODAY).sealed.folder
    executives = box(desk, "executive_briefing")
    for item in executives.pending():
        executives.keep_receipt(item, Posted("ref"), "#executive-briefing", NOW)

    third = restated(desk, tape)

    assert (len(sealed_briefings(second)), sealed_briefings(third)) == (1, [])
