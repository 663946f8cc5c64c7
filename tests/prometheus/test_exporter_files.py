"""What the exporter reads, how often, and what it tells of deliveries and traces."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from prometheus.families import Duration, Sample, build_families
from prometheus.history import AttemptIndex
from prometheus.index import FileIndex, TreeMemo
from settings.errors import InternalError
from tests.prometheus.data_folder import MORNING, DataFolder, Scrape, kpi
from warehouse.attempt_state import read_attempt
from warehouse.delivery_box import delivery_folder
from warehouse.outbox import Outbox


@pytest.fixture
def folder(tmp_path):
    return DataFolder(tmp_path)


def age(*paths, seconds=60):
    """Let files and folders be of a minute ago: the newest are not trusted yet."""
    for path in paths:
        found = path.stat()
        os.utime(path, (found.st_atime - seconds, found.st_mtime - seconds))


class Loads:
    """Read a file and write down that it was read."""

    def __init__(self):
        self.paths = []

    def __call__(self, path):
        self.paths.append(path.name)
        return path.read_text()


def test_a_file_is_read_again_only_when_it_was_changed(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("one")
    age(path)
    index = FileIndex(load := Loads())

    assert [index.read(str(path)) for _ in range(3)] == ["one"] * 3
    assert load.paths == ["a.json"]
    path.write_text("two")
    assert index.read(str(path)) == "two"


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_read_again(tmp_path):
    path, other = tmp_path / "a.json", tmp_path / "b.tmp"
    path.write_text("one")
    other.write_text("two")
    age(path, other)
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    index = FileIndex(Loads())
    assert index.read(str(path)) == "one"

    other.replace(path)

    assert index.read(str(path)) == "two"


def test_a_file_of_this_very_moment_is_not_trusted_to_be_the_last_of_it(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("one")
    index = FileIndex(Loads())
    assert index.read(str(path)) == "one"
    was = path.stat()

    path.write_text("two")  # the same inode and size, and within one tick the same time
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))

    assert index.read(str(path)) == "two"


def test_the_index_forgets_files_that_are_gone(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("one")
    age(path)
    index = FileIndex(load := Loads())
    index.read(str(path))

    index.keep_only([])
    index.read(str(path))

    assert load.paths == ["a.json", "a.json"]


def test_a_value_of_folders_is_worked_out_again_when_a_file_comes(tmp_path):
    age(tmp_path)
    memo, counts = TreeMemo[int](), iter(range(9))

    assert [memo.get([tmp_path], lambda: next(counts)) for _ in range(3)] == [0, 0, 0]
    (tmp_path / "new").touch()
    assert memo.get([tmp_path], lambda: next(counts)) == 1


def test_folders_of_this_very_moment_are_not_trusted_to_stay_as_they_are(tmp_path):
    memo, counts = TreeMemo[int](), iter(range(9))
    assert memo.get([tmp_path], lambda: next(counts)) == 0
    was = tmp_path.stat()

    (tmp_path / "new").touch()
    (tmp_path / "new").unlink()  # back to the same size, and within one tick the same time
    os.utime(tmp_path, ns=(was.st_atime_ns, was.st_mtime_ns))

    assert memo.get([tmp_path], lambda: next(counts)) == 1


def test_of_many_attempts_only_the_new_one_is_read(folder, monkeypatch):
    for number in range(5):
        folder.attempt(f"a{number}", "published")
    age(*folder.layout.attempts.iterdir())
    read = []
    monkeypatch.setattr(
        "prometheus.history.read_attempt", lambda path: read.append(path.stem) or read_attempt(path)
    )
    index = AttemptIndex(folder.layout, "production")
    index.read()
    folder.attempt("a5", "published")
    read.clear()

    history = index.read()["default"]

    assert read == ["a5"]
    assert len(history.ended) == 6


def test_deliveries_are_counted_for_a_receiver_that_never_got_one(folder):
    folder.publish(
        kpi("par_90", "0.01"), files=("audit.json",), sealed_at=MORNING - timedelta(hours=2)
    )
    folder.attempt("a1", "failed", MORNING)

    scrape = Scrape(folder.exporter("audit_store"))

    assert scrape.value("deliveries_pending", receiver="audit_store") == 2
    oldest = scrape.value("delivery_oldest_timestamp_seconds", receiver="audit_store")
    assert oldest == datetime(2025, 12, 27, 7, tzinfo=UTC).timestamp()
    assert Scrape(folder.exporter()).series("deliveries_pending") == {}  # nobody is to be told


def test_a_refusal_and_another_item_show_at_the_next_scrape(folder):
    run = folder.publish(kpi("par_90", "0.01"), files=("audit.json",))
    outbox = Outbox(folder.layout, "audit_store", "production")
    exporter = folder.exporter("audit_store")
    for path in (folder.layout.runs, folder.layout.attempts):
        age(path)
    assert Scrape(exporter).value("deliveries_pending") == 1
    [item] = outbox.pending()

    outbox.keep_refusal(item, InternalError("no", fix="none"), MORNING)
    refused = Scrape(exporter)
    folder.attempt("a1", "canceled")
    later = Scrape(exporter)

    assert run.name == item.name
    assert refused.value("deliveries_pending") == 0
    assert refused.value("deliveries_refused") == 1
    assert refused.value("delivery_oldest_timestamp_seconds") is None
    assert later.value("deliveries_pending") == 1


def test_a_receiver_is_found_by_its_folder_and_only_in_its_environment(folder):
    for environment, name in (("production", "store"), ("staging", "other")):
        (delivery_folder(folder.layout, environment) / name / "received").mkdir(parents=True)

    found = Scrape(folder.exporter()).series("deliveries_pending")

    assert found == {("store",): 0}


def test_the_example_of_a_bucket_is_the_newest_run_in_it():
    runs = (
        Duration(700.0, 1_000.0, "aa" * 16),
        Duration(650.0, 2_000.0, "bb" * 16),
        Duration(640.0, 3_000.0),  # of a time without traces
        Duration(30.0, 1_500.0, "cc" * 16),
    )
    registry = CollectorRegistry()
    registry.register(Families([Sample("run_duration_seconds", runs, ("default",))]))

    lines = generate_latest(registry).decode().splitlines()

    examples = {line.split('le="')[1].split('"')[0]: line for line in lines if " # {" in line}
    assert set(examples) == {"30.0", "720.0"}
    assert examples["720.0"].endswith(f'}} 4.0 # {{trace_id="{"bb" * 16}"}} 650.0 2000.0')


@pytest.mark.parametrize(
    "sample",
    [
        Sample("kpi_worth", 1.0),
        Sample("kpi_value", 1.0, ("par_90", "default")),
        Sample("runs", (), ("default", "failed")),
        Sample("run_duration_seconds", 1.0, ("default",)),
    ],
    ids=lambda sample: sample.name,
)
def test_a_sample_that_no_metric_declares_is_a_mistake(sample):
    with pytest.raises(InternalError, match=sample.name):
        list(build_families([sample]))


class Families:
    """A collector of given samples."""

    def __init__(self, samples):
        self._samples = samples

    def describe(self):
        return []

    def collect(self):
        return build_families(self._samples)
