"""A run as a trace: what a collector gets, what it never gets, and what it costs when it is down.

The command line runs as a process of its own, as it does every day: OpenTelemetry is set up once
a process.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from prometheus.exporter import Exporter
from settings.load import load_settings
from tests.leaving_out import leave_out
from tests.otlp_receiver import Received, hanging, receive_traces, refusing
from tests.warehouse.mixed_tape import AS_OF

ROOT = Path(__file__).parents[2]
PHASES = ["ingestion", "transformation", "calculation", "output"]
KEY = "CANARY-KEY-of-the-pseudonyms"
HEADER = "CANARY-HEADER-of-the-collector"
COLLECTORS = {
    refusing: "refuses",
    hanging: "hangs",
    lambda: hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"): "drips",
}


def environment(root, url=None):
    named = {"PIPELINE_ENV": "development", "TAPEWATCH_DATA_DIR": str(root)}
    named["TAPEWATCH_PII_KEY"] = KEY
    if url is not None:
        named["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        named["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-token={HEADER}"
    return named


def tapewatch(root, url, *arguments):
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "deployments.cli", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment(root, url),
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass
class Traced:
    """A run that was sent to a receiver."""

    root: Path
    received: Received

    @property
    def folder(self) -> Path:
        (folder,) = (self.root / "data" / "runs").iterdir()
        return folder

    @property
    def record(self) -> dict:
        (path,) = (self.root / "data" / "attempts").iterdir()
        return json.loads(path.read_bytes())


@pytest.fixture(scope="module")
def traced(tape, tmp_path_factory):
    root = tmp_path_factory.mktemp("traced")
    with receive_traces() as received:
        done = tapewatch(root, received.url, "run", "--input", tape)
    assert (done.returncode, len(done.stderr.splitlines())) == (0, len(PHASES)), done.stderr
    return Traced(root, received)


def test_a_run_is_one_trace_with_a_span_a_phase_and_a_step_in_it(traced):
    run = traced.received.span("run")
    phases = traced.received.children(run)
    steps = {phase.name: traced.received.children(phase) for phase in phases}

    assert {span.trace_id for span in traced.received.spans} == {run.trace_id}
    assert (run.parent_id, [phase.name for phase in phases]) == ("", PHASES)
    assert [s.name for s in steps["ingestion"]][:4] == [
        "fetch",
        "keep",
        "canonical/macros.sql",
        "canonical/loan.sql",
    ]
    assert {"book/book.sql", "checks"} <= {step.name for step in steps["transformation"]}
    assert "kpi/par_90.sql" in [step.name for step in steps["calculation"]]
    assert [step.name for step in steps["output"]] == ["seal"]
    assert not [span.name for span in traced.received.spans if span.is_failed]
    for phase in phases:
        assert 0 < sum(step.seconds for step in steps[phase.name]) <= phase.seconds <= run.seconds


def test_spans_tell_the_run_the_day_and_how_much_there_was(traced, tape):
    tell = traced.received.span
    manifest = json.loads((traced.folder / "manifest.json").read_bytes())
    loans = len((tape / "loans.csv").read_text().splitlines()) - 1
    rows = sum(len(path.read_text().splitlines()) - 1 for path in tape.iterdir())
    known = {"tapewatch.run_id": traced.record["run_id"], "tapewatch.as_of": AS_OF}

    for name in ("run", *PHASES):
        assert known.items() <= tell(name).attributes.items(), name
    run = tell("run").attributes
    assert run["tapewatch.attempt_id"] == traced.record["attempt_id"]
    assert run["tapewatch.run_folder"] == traced.folder.name
    assert (run["tapewatch.outcome"], run["tapewatch.portfolio"]) == ("published", "default")
    ingestion = tell("ingestion").attributes
    assert ingestion["tapewatch.bytes"] == sum(path.stat().st_size for path in tape.iterdir())
    assert ingestion["tapewatch.rows_out"] == rows
    assert tell("transformation").attributes["tapewatch.rows_in"] == rows
    assert tell("canonical/loan.sql").attributes["tapewatch.rows_out"] == loans
    seal = tell("seal").attributes
    assert seal["tapewatch.files"] == len(manifest["files"])
    assert seal["tapewatch.bytes"] == sum(file["bytes"] for file in manifest["files"].values())


def test_the_collector_learns_which_service_it_is_and_gets_its_header(traced):
    (resource,) = traced.received.resources
    (headers,) = traced.received.headers

    assert resource["service.name"] == "tapewatch"
    assert headers["x-token"] == HEADER


def test_every_line_of_the_log_names_the_run_and_the_trace(traced):
    (log,) = (traced.root / "logs" / "runs" / "latest").glob("pipeline_*.log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    trace_id = traced.received.span("run").trace_id

    assert {line["trace_id"] for line in lines} == {trace_id}
    assert lines[0]["run_id"] is None  # the tape is not read yet
    assert lines[-1]["run_id"] == traced.record["run_id"]


def test_summary_and_runs_latest_show_the_trace(traced):
    latest = traced.root / "logs" / "runs" / "latest" / "pipeline_summary.json"
    trace_id = traced.received.span("run").trace_id

    assert json.loads(latest.read_bytes())["trace_id"] == trace_id
    shown = tapewatch(traced.root, None, "runs", "latest").stdout
    assert f"trace       {trace_id}" in shown


def test_the_durations_have_the_trace_of_the_run_as_their_example(traced):
    registry = CollectorRegistry()
    registry.register(Exporter(load_settings(environment(traced.root)), print, []))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    examples = {
        sample.labels.get("phase"): sample.exemplar.labels
        for family in families
        for sample in family.samples
        if sample.exemplar is not None
    }

    trace = {"trace_id": traced.received.span("run").trace_id}
    assert examples == dict.fromkeys((None, *PHASES), trace)


def test_no_secret_no_customer_no_loan_and_no_path_leaves_in_a_span(traced, tape):
    everything = traced.received.everything
    header, *rows = [row.split(",") for row in (tape / "loans.csv").read_text().splitlines()]
    columns = [header.index("loan_id"), header.index("customer_id")]
    people = {row[column] for row in rows for column in columns} - {""}

    assert len(people) > len(rows)
    secrets = {KEY, HEADER, str(tape), str(traced.root), str(ROOT), str(Path.home())}
    assert not [told for told in people | secrets if told.encode() in everything]


def test_a_rejected_tape_is_an_error_by_its_code_and_no_text(tape, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in tape.iterdir():
        text = path.read_text().replace("2025-", "CANARY-")  # no date can be read
        (broken / path.name).write_text(text)

    with receive_traces() as received:
        done = tapewatch(tmp_path / "home", received.url, "run", "--input", broken)

    code, message = done.stderr.splitlines()[-1].partition(" | ")[0].split(": ", 1)
    assert (done.returncode, code) == (65, "TAPEWATCH-LOCALE_CHANGED")
    for name in ("run", "transformation"):
        span = received.span(name)
        assert (span.is_failed, span.message) == (True, "LOCALE_CHANGED"), name
        assert (span.attributes["error.type"], span.events) == ("LOCALE_CHANGED", {})
    assert not received.span("ingestion").is_failed
    told = [text for text in (message, "CANARY") if text.encode() in received.everything]
    assert told == []


@pytest.mark.slow
@pytest.mark.parametrize("collector", COLLECTORS, ids=COLLECTORS.get)
def test_a_collector_that_does_not_answer_costs_a_run_neither_its_end_nor_a_word(
    tape, tmp_path, collector
):
    with collector() as url:
        done = tapewatch(tmp_path, url, "run", "--input", tape)
        over = time.time()

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == PHASES
    # the summary is the last file of a run; what a busy machine adds to the 2 s is not judged here
    latest = tmp_path / "logs" / "runs" / "latest" / "pipeline_summary.json"
    assert over - latest.stat().st_mtime < 4.5


ENDING = """
import atexit, time
atexit.register(lambda: print(time.monotonic() - over))  # after what is registered later
from blocks.clients.traces import start_traces
start_traces()
from warehouse.tracing import step
with step("run"):
    pass
over = time.monotonic()
"""


@pytest.mark.slow
@pytest.mark.parametrize("collector", COLLECTORS, ids=COLLECTORS.get)
def test_the_end_of_a_process_waits_for_a_collector_2_seconds_and_a_half_at_most(
    tmp_path, collector
):
    with collector() as url:
        done = ended_by(ENDING, environment(tmp_path, url))

    assert float(done.stdout) < 2.5
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "no address"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "nonsense"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
        {"OTEL_TRACES_SAMPLER": "nonsense"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_wrong_variable_of_opentelemetry_stops_nothing(wrong, tmp_path):
    with refusing() as url:
        done = ended_by(
            "from blocks.clients.traces import start_traces; start_traces()",
            environment(tmp_path, url) | wrong,
        )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_is_sent_as_canceled(tape, tmp_path):
    variables = {
        # too little for any phase, which can heal: it waits for its second try
        "TAPEWATCH_ENGINE__MEMORY_LIMIT": "1MB",
        "TAPEWATCH_PHASES__INGESTION__RETRY_DELAY_SECONDS": "600",
    }
    with (
        receive_traces() as received,
        subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-m", "deployments.cli", "run", "--input", str(tape)],
            cwd=ROOT,
            env=os.environ | environment(tmp_path, received.url) | variables,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    assert process.returncode == 143
    assert received.span("run").message == "CANCELED"
    assert received.span("ingestion").message == "OUT_OF_MEMORY"


def test_the_doctor_tells_whether_the_collector_takes_traces(tmp_path):
    def found(url):
        checks = json.loads(tapewatch(tmp_path, url, "doctor", "--json").stdout)["checks"]
        (told,) = [check for check in checks if check["check"] == "traces"]
        return told["verdict"], told["found"]

    with receive_traces() as received:
        assert found(received.url) == ("ok", "the collector takes them")
    with refusing() as url:
        assert found(url) == ("warning", "the collector took none")
    assert received.spans == []


@pytest.fixture
def oteltap():
    """An OTLP receiver that others wrote; yields its address and what it prints, once stopped."""
    if platform.machine() != "x86_64":
        leave_out("oteltap comes for x86-64 alone")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-u", "-m", "oteltap", "--port", str(port), "--await-span", "^run$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stdout:
            if line.startswith("Awaiting"):
                break
        yield f"http://127.0.0.1:{port}", process
        process.terminate()


def test_a_receiver_of_others_reads_the_same_trace(tape, tmp_path, oteltap):
    url, process = oteltap

    done = tapewatch(tmp_path, url, "run", "--input", tape)

    printed, _ = process.communicate(timeout=30)
    spans = [json.loads(line) for line in printed.splitlines() if line.startswith('{"traceId"')]
    assert (done.returncode, process.returncode) == (0, 0)
    matched = printed[printed.index("Received a match:") :].partition("\n")[2]
    run, _ = json.JSONDecoder().raw_decode(matched.lstrip())  # other spans may follow it
    assert (run["name"], len({span["traceId"] for span in spans})) == ("run", 1)
    assert {*PHASES, "seal", "kpi/par_90.sql"} <= {span["name"] for span in spans}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--input"]], ids=["help", "run"])
def test_without_a_collector_nothing_of_opentelemetry_is_imported(arguments, tape, tmp_path):
    arguments = [*arguments, str(tape)] if "--input" in arguments else arguments
    done = ended_by(
        f"import sys; from deployments.cli import run_command; code = run_command({arguments!r});"
        "print([name for name in sys.modules if name.startswith('opentelemetry')]); sys.exit(code)",
        environment(tmp_path),
    )

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"


def ended_by(program, variables):
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


FOREIGN = """
from blocks.clients.traces import start_traces
start_traces()
from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
with trace.get_tracer("prefect").start_as_current_span("daily") as span:
    span.set_attributes({"prefect.run.id": "7", "anything.else": "CANARY-LABEL"})
    span.record_exception(ValueError("could not convert CANARY-CELL"))
    span.add_event("Failed", {"prefect.state.message": "CANARY-CELL", "prefect.state.type": "F"})
    span.set_status(Status(StatusCode.ERROR, "CANARY-CELL"))
    with trace.get_tracer("another").start_as_current_span("GET /CANARY-PATH"):
        pass
"""


def test_of_the_spans_of_others_only_what_is_listed_leaves(tmp_path):
    with receive_traces() as received:
        ended_by(FOREIGN, environment(tmp_path, received.url))

    (span,) = received.spans
    assert (span.name, span.attributes, span.is_failed) == ("daily", {"prefect.run.id": "7"}, True)
    assert span.events == {
        "exception": {"exception.type": "ValueError"},
        "Failed": {"prefect.state.type": "F"},
    }
    assert b"CANARY" not in received.everything
