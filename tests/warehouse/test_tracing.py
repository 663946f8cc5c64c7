"""Spans of steps: what they tell, when they end, and that without a tracer there are none."""

import threading
import time
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from settings.errors import DataRejectedError
from settings.load import load_settings
from settings.running import EngineSettings
from warehouse.attempt_state import AttemptRecord, list_attempts, read_attempt, save_attempt
from warehouse.attempts import open_attempt
from warehouse.delivery import Order, deliver
from warehouse.engine import WATCH, copy_to_parquet, open_engine, read_sql
from warehouse.layout import Layout
from warehouse.outbox import Link
from warehouse.profile import Profile
from warehouse.traced_phase import traced_phase
from warehouse.tracing import step, tell, trace_id

ENGINE = EngineSettings(memory_limit="500MB", max_temp_size="1GB")
BOOK = "create table book (live_principal decimal(18, 2), days_past_due integer)"


@pytest.fixture
def spans(monkeypatch):
    """The spans that have ended by now, all or those of one name."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)  # the API lets it be set only once

    def ended(name=None):
        return [s for s in exporter.get_finished_spans() if name in (None, s.name)]

    return ended


def test_a_foreign_error_is_told_by_a_code_and_without_its_text(spans):
    with pytest.raises(ValueError, match="Maria"), step("run"):
        raise ValueError("could not convert Maria Lopez")

    (span,) = spans()
    assert (span.status.description, dict(span.attributes)) == (
        "INTERNAL",
        {"error.type": "INTERNAL"},
    )
    assert span.events == ()


def test_an_error_of_ours_is_told_by_its_code_and_without_its_text(spans):
    with pytest.raises(DataRejectedError), step("run"):
        raise DataRejectedError("/home/maria/loans.csv is bad", fix="mend it")

    (span,) = spans()
    assert span.status.description == "DATA_REJECTED"
    assert "maria" not in span.to_json()


def test_facts_go_to_the_innermost_span_and_what_is_unknown_is_not_told(spans):
    with step("run", rows_in=None), step("seal", files=3):
        tell(bytes=70, rows_out=None)

    assert dict(spans("seal")[0].attributes) == {"tapewatch.files": 3, "tapewatch.bytes": 70}
    assert dict(spans("run")[0].attributes) == {}


def test_each_sql_file_of_a_phase_is_a_step_until_its_last_row(spans, tmp_path):
    with traced_phase("calculation"), open_engine(ENGINE, tmp_path, ()) as db:
        db.execute(BOOK)
        asked = db.execute(read_sql("kpi", "par_90"))
        time.sleep(0.02)
        asked.fetchall()
        fetched = time.time_ns()
        time.sleep(0.02)
        db.execute("select 1")

    found = spans()
    assert [span.name for span in found] == ["kpi/par_90.sql", "calculation"]  # no inline statement
    par_90, phase = found
    assert par_90.parent.span_id == phase.context.span_id
    assert dict(par_90.attributes) == {"tapewatch.rows_out": 1}
    assert par_90.end_time - par_90.start_time >= 20_000_000
    assert par_90.end_time <= fetched


def test_a_table_that_is_written_tells_its_rows(spans, tmp_path):
    with traced_phase("transformation"), open_engine(ENGINE, tmp_path, ()) as db:
        db.execute(BOOK)
        db.execute("insert into book values (1, 0), (2, 0)")
        known_by, _, _ = read_sql("kpi", "par_90").partition("\n")
        copy_to_parquet(db, f"{known_by}\nfrom book", tmp_path / "book.parquet", {})

    assert spans("kpi/par_90.sql")[0].attributes["tapewatch.rows_out"] == 2


def test_a_statement_that_fails_is_an_error_by_its_type(spans, tmp_path):
    with (
        pytest.raises(Exception, match="refused a statement"),
        traced_phase("calculation"),
        open_engine(ENGINE, tmp_path, ()) as db,
    ):
        db.execute(read_sql("kpi", "par_90"))  # there is no book

    assert spans("kpi/par_90.sql")[0].attributes["error.type"] == "CatalogException"
    assert spans("calculation")[0].status.description == "INTERNAL"


def test_a_phase_can_be_profiled_and_traced_at_once(spans, tmp_path):
    profile = Profile()

    with (
        profile.of_phase("calculation"),
        traced_phase("calculation"),
        open_engine(ENGINE, tmp_path, ()) as db,
    ):
        db.execute(BOOK)
        db.execute(read_sql("kpi", "par_90")).fetchall()

    assert profile.files["calculation", "kpi/par_90.sql"].calls == 1
    assert len(spans("kpi/par_90.sql")) == 1
    assert WATCH.get() is None


def test_without_a_tracer_no_statement_is_watched_and_no_trace_is_named(tmp_path):
    with traced_phase("calculation"), open_engine(ENGINE, tmp_path, ()) as db:
        assert type(db).__name__ == "DuckDBPyConnection"
        assert trace_id() is None


def test_a_trace_that_nobody_gets_is_not_named(monkeypatch):
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    with step("run"):
        assert trace_id() is None


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "data", tmp_path / "logs")
    made.make()
    return made


def test_an_attempt_keeps_the_trace_it_is_told_in(spans, layout):
    with step("run"):
        with open_attempt(layout, "a1", "production", "cascade", datetime.now(UTC)) as attempt:
            attempt.succeed("published")
        named = trace_id()

    (record,) = list_attempts(layout)
    assert record.trace_id == named == f"{spans('run')[0].context.trace_id:032x}"


def test_a_record_of_before_traces_is_read_and_one_with_no_trace_id_is_none(layout):
    with open_attempt(layout, "a1", "production", "cascade", datetime.now(UTC)) as attempt:
        attempt.succeed("published")
    (path,) = layout.attempts.iterdir()
    text = path.read_text()
    assert '"trace_id": null' in text

    path.write_text(text.replace('"trace_id": null', '"trace_id": "\\" 1\\nevil"'))
    assert read_attempt(path) is None
    lines = [line for line in text.splitlines() if "trace_id" not in line]
    path.write_text("\n".join(lines).replace(",\n}", "\n}"))
    assert read_attempt(path).trace_id is None


class Receiver:
    """One that takes what it gets, or hangs."""

    store = "here"

    def __init__(self, name, wait=lambda: None):
        self.name = name
        self.wait = wait

    def send(self, _item, _seconds):
        self.wait()
        return Link(1, "a" * 64)


def test_each_receiver_is_a_step_also_one_that_hangs(spans, tmp_path):
    settings = load_settings({"TAPEWATCH_PII_KEY": "k" * 16, "TAPEWATCH_DATA_DIR": str(tmp_path)})
    layout, freed, began = Layout.of(settings), threading.Event(), time.time_ns()
    layout.make()
    started = "2026-01-01T00:00:00.000Z"
    record = AttemptRecord("a1", "failed", "production", "x", started, "log", ended_at=started)
    save_attempt(layout, record)
    receivers = [Receiver("hangs", lambda: freed.wait(30)), Receiver("takes")]

    with step("run"):
        deliver(layout, receivers, "production", settings.delivery, Order(1.0))
    freed.set()

    delivered = {s.attributes["tapewatch.receiver"]: s for s in spans("deliver")}
    hung, took = (delivered[receiver.name] for receiver in receivers)
    assert [s.attributes["tapewatch.sent"] for s in (hung, took)] == [0, 1]
    assert [s.attributes["tapewatch.pending"] for s in (hung, took)] == [1, 0]
    assert (hung.status.description, took.status.is_ok) == ("RECEIVER_HANGS", True)
    assert hung.start_time >= began
    (run,) = spans("run")
    assert {s.parent.span_id for s in delivered.values()} == {run.context.span_id}
