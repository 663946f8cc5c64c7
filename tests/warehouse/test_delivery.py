"""What is pending, what is sent again, what is given up, and that nobody can hold up a run."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from settings.errors import SourceUnavailableError
from settings.load import load_settings
from warehouse.attempt_state import AttemptRecord, save_attempt
from warehouse.delivery import Order, ReceiverHangsError, deliver
from warehouse.delivery_box import RefusedError
from warehouse.layout import Layout
from warehouse.lock import LockHeldError, hold_lock
from warehouse.outbox import Link, Outbox

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Down(SourceUnavailableError):
    code = "DOWN"


class Store:
    """A receiver that keeps what it got, and fails as it is told to."""

    def __init__(self, name="store", failing=None, store="here"):
        self.name = name
        self.store = store
        self.failing = failing or (lambda item: None)
        self.got = []
        self.tries = []

    def send(self, item, seconds):
        self.tries.append(item.name)
        self.failing(item)
        self.got.append(item.name)
        return Link(len(self.got), "a" * 64)


@pytest.fixture
def settings(tmp_path):
    return load_settings({"TAPEWATCH_PII_KEY": "k" * 16, "TAPEWATCH_DATA_DIR": str(tmp_path)})


@pytest.fixture
def layout(settings):
    made = Layout.of(settings)
    made.make()
    return made


@pytest.fixture
def attempts(layout):
    """Three attempts that failed, one after another, and one of another environment."""
    names = []
    for hour in range(3):
        name = uuid4().hex
        _save(layout, name, hour, "production")
        names.append(f"attempt-{name}")
    _save(layout, uuid4().hex, 9, "staging")
    return names


def _save(layout, name, hour, environment):
    started = f"2026-01-01T0{hour}:00:00.000Z"
    record = AttemptRecord(name, "failed", environment, "default", started, "log", ended_at=started)
    save_attempt(layout, record)


def sent_to(layout, settings, *receivers, **order):
    asked = Order(**{"seconds": 5.0, **order})
    return deliver(layout, receivers, "production", settings.delivery, asked)


def down(_item):
    raise Down("it is down", fix="wait")


def test_what_is_pending_is_sent_oldest_first_and_once(layout, settings, attempts):
    store = Store()

    (first,), (again,) = (sent_to(layout, settings, store) for _ in range(2))

    assert store.got == attempts
    assert (first.sent, first.pending, again.sent, again.pending) == (3, 0, 0, 0)


def test_a_receipt_tells_the_link_that_came_back(layout, settings, attempts):
    sent_to(layout, settings, Store())

    told = Outbox(layout, "store", "production").receipts()

    assert {name: (receipt.ledger_seq, receipt.store) for name, receipt in told.items()} == dict(
        zip(attempts, ((1, "here"), (2, "here"), (3, "here")), strict=True)
    )


def test_the_newest_link_is_that_of_the_last_receipt(layout, settings, attempts):
    outbox = Outbox(layout, "store", "production")
    assert outbox.newest_link() is None

    sent_to(layout, settings, Store())

    assert outbox.newest_link().ledger_seq == 3


def test_a_receiver_that_fails_keeps_the_order_and_loses_nothing(layout, settings, attempts):
    store = Store(failing=down)
    (result,) = sent_to(layout, settings, store)
    assert (result.sent, result.pending, result.error.code) == (0, 3, "DOWN")
    assert store.tries == attempts[:1]

    store.failing = lambda item: None
    (result,) = sent_to(layout, settings, store, is_now=True)

    assert store.got == attempts
    assert result.pending == 0


def test_a_receiver_that_failed_is_left_alone_for_a_while_twice_as_long_each_time(
    layout, settings, attempts
):
    store, outbox = Store(failing=down), Outbox(layout, "store", "production")
    waits = []
    for _ in range(6):
        before = datetime.now(UTC)
        sent_to(layout, settings, store, is_now=True)
        waits.append(round((outbox.state().not_before - before) / timedelta(minutes=1)))

    (result,) = sent_to(layout, settings, store)

    assert waits == [1, 2, 4, 8, 15, 15]
    assert len(store.tries) == 6
    assert (result.is_waiting, result.pending) == (True, 3)


def test_success_forgets_the_failures(layout, settings, attempts):
    store, outbox = Store(failing=down), Outbox(layout, "store", "production")
    sent_to(layout, settings, store)
    store.failing = lambda item: None

    sent_to(layout, settings, store, is_now=True)

    assert (outbox.state().failures, outbox.state().not_before) == (0, None)


def test_what_is_refused_for_good_is_set_apart_and_the_rest_is_sent(layout, settings, attempts):
    def refuse(item):
        if item.name == attempts[1]:
            raise RefusedError("other facts are stored", fix="look")

    store, outbox = Store(failing=refuse), Outbox(layout, "store", "production")
    (result,) = sent_to(layout, settings, store)

    assert store.got == [attempts[0], attempts[2]]
    assert (result.sent, result.refused, result.pending, result.error.code) == (
        2,
        1,
        0,
        "DELIVERY_REFUSED",
    )
    letter = json.loads(outbox.refused()[attempts[1]].read_bytes())
    assert letter["code"] == "DELIVERY_REFUSED"
    (again,) = sent_to(layout, settings, store)
    assert again.pending == 0


def test_a_refused_item_is_sent_when_somebody_asks_for_it(layout, settings, attempts):
    def refuse(_item):
        raise RefusedError("no", fix="look")

    store, outbox = Store(failing=refuse), Outbox(layout, "store", "production")
    sent_to(layout, settings, store)
    store.failing = lambda item: None

    outbox.retry_refused(datetime.now(UTC))
    sent_to(layout, settings, store)

    assert store.got == attempts
    assert outbox.refused() == {}


def test_everything_is_sent_again_to_a_store_that_was_restored(layout, settings, attempts):
    store = Store()
    sent_to(layout, settings, store)

    sent_to(layout, settings, store, is_again=True)

    assert store.got == attempts * 2


def test_receivers_are_served_side_by_side_and_a_hanging_one_delays_nobody(
    layout, settings, attempts
):
    freed = threading.Event()
    hanging = Store("hanging", failing=lambda item: freed.wait(30))
    well = Store("well")
    started = time.monotonic()

    stuck, fine = sent_to(layout, settings, hanging, well, seconds=1.0)
    took = time.monotonic() - started
    freed.set()

    assert took < 3
    assert isinstance(stuck.error, ReceiverHangsError)
    assert (fine.sent, fine.error) == (3, None)
    assert Outbox(layout, "hanging", "production").state().failures == 1


def test_as_many_as_hang_are_waited_for_together(layout, settings, attempts):
    freed = threading.Event()
    hanging = [Store(f"hanging{n}", failing=lambda item: freed.wait(60)) for n in range(30)]
    started = time.monotonic()

    results = sent_to(layout, settings, *hanging, seconds=1.0)
    took = time.monotonic() - started
    freed.set()

    assert all(isinstance(result.error, ReceiverHangsError) for result in results)
    assert took < 10  # half a second each, one after another, would be 15


def test_the_fallback_is_told_nothing_for_which_the_time_may_be_too_short(
    layout, settings, attempts
):
    def refuse_late(_item):
        time.sleep(0.6)  # so an item may take 1.2 s, and less than 1 s is left
        raise RefusedError("never", fix="none")

    store = Store(failing=refuse_late)
    fallback = Store("slack-pipeline-failures")
    sent_to(layout, settings, store, fallback, seconds=1.5)
    assert (len(store.tries), fallback.tries) == (1, [])

    sent_to(layout, settings, fallback)  # all the time of the next delivery

    assert len(fallback.got) == 1


def left_hanging(layout, settings, failing):
    """Deliver to a receiver that answers when the time is long over; return its box then."""
    freed = threading.Event()

    def wait(item):
        freed.wait(30)
        failing(item)

    sent_to(layout, settings, Store("late", failing=wait), seconds=0.6)
    [thread] = [each for each in threading.enumerate() if each.name == "late"]
    freed.set()
    thread.join()
    return Outbox(layout, "late", "production")


def test_a_receiver_that_hangs_and_then_fails_has_failed_once(layout, settings, attempts):
    assert left_hanging(layout, settings, down).state().failures == 1


def test_what_arrives_after_all_is_not_sent_again(layout, settings, attempts):
    box = left_hanging(layout, settings, lambda item: None)

    assert [item.name for item in box.pending()] == attempts[1:]
    assert box.state().failures == 1  # it is left alone for a while all the same


def test_no_item_is_begun_that_could_be_cut_short(layout, settings, attempts):
    store = Store("slow", failing=lambda item: time.sleep(0.8))

    (result,) = sent_to(layout, settings, store, seconds=2.5)  # 2.0 s to send in

    assert store.tries == store.got == attempts[:1]  # after 0.8 s, less than twice that is left
    assert (result.sent, result.pending, result.error) == (1, 2, None)


def test_a_mistake_in_a_receiver_is_told_and_stops_nobody_else(layout, settings, attempts):
    def broken(_item):
        raise ZeroDivisionError("secret-4711")

    (failed, fine) = sent_to(layout, settings, Store("a", failing=broken), Store("b"))

    assert failed.error.code == "INTERNAL"
    assert "secret-4711" not in failed.error.message
    assert fine.sent == 3


def test_two_deliveries_at_once_are_one(layout, settings, attempts):
    lock = layout.delivery / "production" / "lock"
    with hold_lock(lock, "other", NOW), pytest.raises(LockHeldError):
        sent_to(layout, settings, Store())


def test_half_written_files_of_a_killed_delivery_are_removed(layout, settings, attempts):
    left = layout.delivery / "production" / "store" / "received" / "x.json.0000.tmp"
    left.parent.mkdir(parents=True)
    left.write_text("{")

    sent_to(layout, settings, Store())

    assert not left.exists()


def test_a_damaged_state_counts_as_no_failure(layout, settings, attempts):
    folder = layout.delivery / "production" / "store"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{")

    (result,) = sent_to(layout, settings, Store())

    assert result.sent == 3


def test_the_backlog_tells_how_many_wait_and_since_when(layout, settings, attempts):
    outbox = Outbox(layout, "store", "production")
    sent_to(layout, settings, Store(failing=down))

    backlog = outbox.backlog()

    assert (backlog.pending, backlog.refused) == (3, ())
    assert backlog.oldest == datetime(2026, 1, 1, tzinfo=UTC)
    assert backlog.state.code == "DOWN"


def test_what_another_store_has_received_is_sent_to_this_one(layout, settings, attempts):
    sent_to(layout, settings, Store(store="there"))

    here = Store(store="here")
    sent_to(layout, settings, here)

    assert here.got == attempts


def test_the_links_of_a_store_that_was_before_are_kept(layout, settings, attempts):
    outbox = Outbox(layout, "store", "production")
    sent_to(layout, settings, Store())

    sent_to(layout, settings, Store(), is_again=True)

    assert sorted(receipt.ledger_seq for receipt in outbox.earlier()) == [1, 2, 3]
    assert outbox.newest_link().ledger_seq == 3


def test_sending_all_again_goes_on_where_it_was_stopped(layout, settings, attempts):
    sent_to(layout, settings, Store())

    def stop_at_the_second(item):
        if item.name == attempts[1]:
            down(item)

    store = Store(failing=stop_at_the_second)
    sent_to(layout, settings, store, is_again=True)
    store.failing = lambda item: None
    sent_to(layout, settings, store, is_now=True)

    assert store.got == attempts


@pytest.mark.parametrize("damage", ["", "null", "{}", '{"ledger_seq": 1}', "\x00"])
def test_a_receipt_that_cannot_be_read_is_none(layout, settings, attempts, damage):
    outbox = Outbox(layout, "store", "production")
    sent_to(layout, settings, Store())
    path = layout.delivery / "production" / "store" / "received" / f"{attempts[0]}.json"
    path.write_text(damage)

    assert outbox.damaged() == attempts[:1]
    assert outbox.newest_link().ledger_seq == 3
    store = Store()
    sent_to(layout, settings, store)
    assert store.got == attempts[:1]


def test_an_attempt_that_a_hand_has_damaged_holds_up_nobody(layout, settings, attempts):
    path = layout.attempts / f"{attempts[0].removeprefix('attempt-')}.json"
    path.write_text(path.read_text().replace("2026-01-01T00", "soon"))

    (result,) = sent_to(layout, settings, Store())

    assert (result.sent, result.error) == (2, None)


def test_two_environments_know_nothing_of_each_other(layout, settings, attempts):
    sent_to(layout, settings, Store(failing=down))

    staging = Store()
    (result,) = deliver(layout, (staging,), "staging", settings.delivery, Order(5.0))

    assert (result.sent, result.is_waiting) == (1, False)
    assert Outbox(layout, "store", "production").receipts() == {}


def test_a_clock_that_was_set_back_makes_nobody_wait(layout, settings, attempts):
    outbox = Outbox(layout, "store", "production")
    outbox.note_failure(
        Down("x", fix="y"), settings.delivery, datetime.now(UTC) + timedelta(days=9)
    )

    (result,) = sent_to(layout, settings, Store())

    assert result.sent == 3


def test_a_store_that_is_slow_with_many_items_has_not_failed(layout, settings, attempts):
    def slow(item):
        time.sleep(0.4)
        if item.name == attempts[1]:
            down(item)

    (result,) = sent_to(layout, settings, Store(failing=slow), seconds=1.0)

    assert (result.sent, result.pending, result.error) == (1, 2, None)
    assert Outbox(layout, "store", "production").state().failures == 0
