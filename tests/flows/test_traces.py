"""The trace of a flow run: Prefect's spans, with ours inside, and no word of what went wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.otlp_receiver import receive_traces
from warehouse.synthetic import write_tape

ROOT = Path(__file__).parents[2]
PHASES = ["ingestion", "transformation", "calculation", "output"]
# As a worker does it: a process of its own that imports the flow, runs it and ends.
FLOW = """
import sys
from pathlib import Path
from flows.daily import daily
for tape in sys.argv[1:]:
    print(daily(inputs=[Path(tape)], return_state=True).name)
"""


@pytest.fixture
def tapes(tmp_path):
    """A good tape, and one that is refused: of its dates only the old ones can be read."""
    good = write_tape(tmp_path / "good", 300).folder
    bad = tmp_path / "bad"
    bad.mkdir()
    for path in good.iterdir():
        if path.suffix == ".csv":
            (bad / path.name).write_text(path.read_text().replace("2025-", "CANARY-"))
    return good, bad


def run_flow(url, root, *tapes):
    from prefect.settings import PREFECT_API_URL

    variables = {
        "PIPELINE_ENV": "development",
        "TAPEWATCH_DATA_DIR": str(root),
        "PREFECT_API_URL": PREFECT_API_URL.value(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
    }
    return subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", FLOW, *map(str, tapes)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_our_run_lies_in_prefects_flow_run_and_each_phase_in_its_task_run(
    prefect_server, tmp_path, tapes
):
    with receive_traces() as received:
        done = run_flow(received.url, tmp_path / "home", *tapes)

    assert done.stdout.split() == ["Completed", "Failed"], done.stderr
    good, bad = (span for span in received.spans if span.name == "daily")
    run, *pages = received.children(good)
    assert (good.scope, good.parent_id, good.is_failed) == ("prefect", "", False)
    assert [(s.scope, s.name) for s in (run, *pages)] == [
        ("tapewatch", "run"),
        ("prefect", "KPI table"),
        ("prefect", "report"),
    ]
    tasks = received.children(run)
    assert [(s.scope, s.name) for s in tasks] == [("prefect", phase) for phase in PHASES]
    for task in tasks:
        (phase,) = received.children(task)
        assert (phase.name, phase.scope) == (task.name, "tapewatch")
        assert received.children(phase)
    assert {s.trace_id for s in received.spans} == {good.trace_id, bad.trace_id}

    failed = [span for span in received.spans if span.trace_id == bad.trace_id and span.is_failed]
    ours = {span.name: span.message for span in failed if span.scope == "tapewatch"}
    assert ours == dict.fromkeys(["run", "ingestion"], "AS_OF_REGRESSION")
    assert {span.message for span in failed if span.scope == "prefect"} == {""}
    assert [s.events["exception"] for s in failed if s.name == "daily"] == [
        {"exception.type": "warehouse.ingestion.AsOfRegressionError"}
    ]
    secrets = ("older than the published", "CANARY", str(tmp_path), str(Path.home()))
    assert not [told for told in secrets if told.encode() in received.everything]
