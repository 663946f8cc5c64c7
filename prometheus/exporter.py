"""Work out every metric at each scrape from what is published: nothing is counted in memory.

What cannot be read is absent with its whole group, and its source_readable says so: a metric is
never half, and never what it was before.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import TypeVar

from prometheus_client.registry import Collector

from prometheus.catalogue import settings_samples
from prometheus.families import Family, Sample, build_families
from prometheus.history import AttemptIndex, History
from prometheus.index import TreeMemo, folders_under
from prometheus.run_samples import freshness_sample, history_samples, served_samples
from prometheus.served import ServedIndex, ServedRun
from prometheus.verdicts import VerdictIndex, verdict_samples
from settings.kpis import load_catalogue
from settings.model import Settings
from warehouse.attempt_folder import describe_error
from warehouse.delivery_box import Backlog, delivery_folder
from warehouse.delivery_boxes import open_box
from warehouse.engine import sql_names
from warehouse.layout import Layout
from warehouse.quality import LEVELS
from warehouse.storage_errors import typed_storage

T = TypeVar("T")
Tell = Callable[[str], None]


class Exporter(Collector):
    """The metrics of one environment's data folder."""

    def __init__(self, settings: Settings, tell: Tell, receivers: Sequence[str] = ()) -> None:
        """Know where everything lies; the data folder need not be there yet.

        Args:
            settings: Those of the process; they are not read again.
            tell: Gets one line when a source cannot be read, and one when it can be again.
            receivers: Those that are set; others are found by their folder.

        Raises:
            KpiCatalogueError: The catalogue cannot be read.
        """
        self._layout = Layout.of(settings)
        self._environment = settings.environment
        self._receivers = receivers
        catalogue = load_catalogue()
        self._kpis = tuple(kpi.name for kpi in catalogue)
        self._levels = _check_levels()
        self._of_settings = tuple(settings_samples(settings, catalogue))
        self._attempts = AttemptIndex(self._layout, settings.environment)
        self._served = ServedIndex(self._layout, settings.environment)
        self._verdicts = VerdictIndex(self._layout, settings.environment)
        self._backlogs = TreeMemo[dict[str, Backlog]]()
        self._sources = _Sources(tell)
        self._lock = Lock()  # two scrapes at once share the indexes

    def describe(self) -> list[Family]:
        """Name no metric beforehand, so that registering does not scrape."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield every family that has a value now."""
        started = time.perf_counter()
        with self._lock:
            samples = [*self._of_settings, *self._read()]
        samples.append(Sample("scrape_duration_seconds", time.perf_counter() - started))
        yield from build_families(samples)

    def _read(self) -> Iterator[Sample]:
        self._sources.begin()
        # The attempts first: a run that is served while this reads is then newer than they are,
        # and not older than an attempt that succeeded with it.
        histories = self._sources.read("attempts", self._attempts.read)
        for portfolio, history in (histories or {}).items():
            yield from history_samples(portfolio, history)
        yield from self._read_served(histories)
        backlogs = self._sources.read("deliveries", self._read_backlogs)
        for receiver, backlog in (backlogs or {}).items():
            yield from _backlog_samples(receiver, backlog)
        verdicts = self._sources.read("verification", self._verdicts.read)
        for kind, verdict in (verdicts or {}).items():
            yield from verdict_samples(kind, verdict)
        yield from self._sources.read("disk", self._read_disk) or ()
        yield from self._sources.samples()

    def _read_served(self, histories: Mapping[str, History] | None) -> Iterator[Sample]:
        pointers = self._sources.read("served", self._served.pointers)
        runs: list[ServedRun] = []
        for portfolio, pointer in (pointers or {}).items():
            run = self._sources.read(
                f"served/{portfolio}", lambda at=pointer: self._served.read(at)
            )
            if run is None:
                continue
            runs.append(run)
            yield from served_samples(portfolio, run, self._kpis, self._levels)
            is_broken = self._sources.read(
                f"chain/{portfolio}", lambda of=run: self._served.is_chain_broken(of)
            )
            if is_broken is not None:
                yield Sample("chain_broken", float(is_broken), (portfolio,))
            if histories is not None:
                yield freshness_sample(portfolio, run, histories.get(portfolio))
        self._served.keep_only(runs)

    def _read_backlogs(self) -> dict[str, Backlog]:
        root = delivery_folder(self._layout, self._environment)
        inside = folders_under(root)
        found = [folder.name for folder in inside if folder.parent == root]
        names = sorted({*self._receivers, *found})
        folders = [self._layout.runs, self._layout.attempts, *inside]
        return self._backlogs.get(folders, lambda: {name: self._backlog(name) for name in names})

    def _read_disk(self) -> tuple[Sample, ...]:
        with typed_storage(self._layout.data):
            disk = shutil.disk_usage(self._layout.data)
        return Sample("disk_free_bytes", disk.free), Sample("disk_size_bytes", disk.total)

    def _backlog(self, receiver: str) -> Backlog:
        return open_box(self._layout, receiver, self._environment).backlog()


def _check_levels() -> dict[str, str]:
    return {check: level for level in LEVELS for check in sql_names(f"quality/{level}")}


def _backlog_samples(receiver: str, backlog: Backlog) -> Iterator[Sample]:
    yield Sample("deliveries_pending", backlog.pending, (receiver,))
    yield Sample("deliveries_refused", len(backlog.refused), (receiver,))
    if backlog.oldest is not None:
        oldest = backlog.oldest.timestamp()
        yield Sample("delivery_oldest_timestamp_seconds", oldest, (receiver,))


class _Sources:
    """Which sources could be read at this scrape, and who was told of those that could not."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._problems: dict[str, str | None] = {}
        self._before: dict[str, str | None] = {}

    def begin(self) -> None:
        """Begin a scrape."""
        self._before, self._problems = self._problems, {}

    def read(self, source: str, work_out: Callable[[], T]) -> T | None:
        """Return what `work_out` returns, None when the source cannot be read."""
        try:
            value = work_out()
        except Exception as error:  # noqa: BLE001 - whatever it is, the other groups must be told
            facts = describe_error(error)
            self._note(source, f"{facts.code}: {facts.message} | fix: {facts.fix}")
            return None
        self._note(source, None)
        return value

    def samples(self) -> Iterator[Sample]:
        """Yield which could be read."""
        for source, problem in self._problems.items():
            yield Sample("source_readable", float(problem is None), (source,))

    def _note(self, source: str, problem: str | None) -> None:
        self._problems[source] = problem
        if problem != self._before.get(source):
            said = "can be read again" if problem is None else f"cannot be read: {problem}"
            self._tell(f"{source} {said}")
