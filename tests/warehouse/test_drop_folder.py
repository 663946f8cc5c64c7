"""The drop folder: which export the daily run takes when nobody names one."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.kind_tapes import loan_tape
from tests.warehouse.tape_runs import NOW, TODAY, YESTERDAY, Desk, run_phase
from tests.warehouse.valued_tape import settings_for
from warehouse.drop_folder import NothingDroppedError, StillWrittenError, newest_export
from warehouse.job import Fetched, RunRequest
from warehouse.run import Start, run_daily

SETTLED = 10  # seconds, ingestion.settle_seconds


class Drop:
    """A drop folder and the settings that name it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        name = "TAPEWATCH_INGESTION__DROP_FOLDER"
        self.settings = settings_for(folder.parent / "root", **{name: str(folder)})

    def put(self, name: str, age: float = 60) -> Path:
        """Put a file there that was changed `age` seconds before NOW."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        changed_at = (NOW - timedelta(seconds=age)).timestamp()
        os.utime(path, (changed_at, changed_at))
        return path

    def newest(self) -> Path:
        """Return what the daily run takes at NOW."""
        return newest_export(self.settings, NOW)


@pytest.fixture
def drop(tmp_path):
    """Return a drop folder that does not exist yet."""
    return Drop(tmp_path / "drop")


def test_the_newest_export_is_taken_whatever_its_name(drop):
    drop.put("z.zip", age=300)
    newest = drop.put("a.xlsx", age=60)
    drop.put("m.csv", age=120)

    assert drop.newest() == newest


def test_a_folder_is_as_new_as_its_newest_table(drop):
    drop.put("alone.zip", age=100)
    drop.put("tables/loans.csv", age=200)
    drop.put("tables/schedules.csv", age=60)

    assert drop.newest() == drop.folder / "tables"


@pytest.mark.parametrize(
    "other",
    [
        ".hidden.zip",
        "~$cartera.xlsx",
        "export.zip.part",
        "notes.txt",
        ".tables/loans.csv",
        "tables/.loans.csv",
        "tables/readme.md",
    ],
)
def test_hidden_and_other_files_are_left_alone(drop, other):
    wanted = drop.put("old.ZIP", age=10_000)
    drop.put(other, age=60)

    assert drop.newest() == wanted


@pytest.mark.parametrize("age", [0, SETTLED - 1])
def test_an_export_that_may_not_be_whole_is_not_taken(drop, age):
    drop.put("old.zip", age=300)
    drop.put("new.zip", age=age)

    with pytest.raises(StillWrittenError) as caught:
        drop.newest()

    error = caught.value
    assert (error.code, error.can_heal) == ("STILL_WRITTEN", True)
    assert error.message.startswith(f"new.zip was changed {age} s ago")
    assert error.fix == f"try again in {SETTLED - age} s"


def test_a_settled_export_is_taken(drop):
    settled = drop.put("new.zip", age=SETTLED)

    assert drop.newest() == settled


@pytest.mark.parametrize("is_there", [True, False])
def test_without_an_export_the_folder_and_the_two_variables_are_named(drop, is_there):
    if is_there:
        drop.put("notes.txt")

    with pytest.raises(NothingDroppedError) as caught:
        drop.newest()

    error = caught.value
    assert (error.code, error.can_heal) == ("NO_INPUT", False)
    assert str(drop.folder) in error.message
    for told in ("--input", "CASCADE_SESSION_COOKIE", "CASCADE_EXPORT_URL", str(drop.folder)):
        assert told in error.fix


def test_the_drop_folder_lies_in_the_data_unless_it_is_absolute(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "drop"

    assert settings_for(root).drop_folder == root / "data" / "raw" / "cascade"
    assert Drop(outside).settings.drop_folder == outside


class Feed:
    """A desk whose runs take what a feed brings."""

    def __init__(self, root: Path) -> None:
        self.desk = Desk(root)

    def run(self, path: Path, as_of, now=NOW):
        """Run what the feed brings, declared to be of this day."""
        start = Start(f"a{now:%d%H%M%S}", now, "test")
        request = RunRequest((), as_of)
        brought = Fetched((path,), "drop_folder")
        return run_daily(request, self.desk.settings, start, run_phase, lambda *_: brought)


def test_a_feed_that_brings_the_served_bytes_again_has_no_new_data(tmp_path):
    feed, tape = Feed(tmp_path / "root"), loan_tape(tmp_path / "in", ("A", 100, 0))
    first = feed.run(tape, YESTERDAY)

    again = feed.run(tape, TODAY, NOW + timedelta(days=1))

    assert (first.outcome, again.outcome) == ("published", "no_new_data")
    assert again.sealed.name == first.sealed.name
    assert again.sealed.manifest.identity.as_of == YESTERDAY
    assert feed.desk.runs() == [first.sealed.name]


def test_a_feed_with_news_is_published(tmp_path):
    feed = Feed(tmp_path / "root")
    feed.run(loan_tape(tmp_path / "1", ("A", 100, 0)), YESTERDAY)

    second = feed.run(
        loan_tape(tmp_path / "2", ("A", 90, 0, 100)), TODAY, NOW + timedelta(minutes=1)
    )

    assert second.outcome == "published"
    assert second.sealed.manifest.identity.as_of == TODAY
    assert second.sealed.manifest.ingestion["origin"] == "drop_folder"


def test_a_person_may_declare_the_same_bytes_to_be_of_another_day(tmp_path):
    feed, tape = Feed(tmp_path / "root"), loan_tape(tmp_path / "in", ("A", 100, 0))
    feed.run(tape, YESTERDAY)

    named = feed.desk.run(tape, as_of=TODAY)

    assert named.outcome == "published"
    assert named.sealed.manifest.identity.as_of == TODAY
