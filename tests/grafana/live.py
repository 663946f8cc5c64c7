"""A real Prometheus that has scraped a real exporter while two portfolios lived through a day."""

import math
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Thread

import httpx

from prometheus.server import MetricsServer, make_app
from settings.kpis import load_catalogue
from tests.prometheus.binaries import find_binary
from tests.prometheus.data_folder import DAY, MORNING, DataFolder, kpi
from warehouse.run_folder import publish
from warehouse.verification import keep_whole, verification_file

HEALTHY, SICK = "default", "micro"
PHASES = {"ingestion": 20.0, "transformation": 15.0, "calculation": 5.0, "output": 10.0}
DIRTY = {
    "checks": {"loan_id_null": 3, "restated_past": 2},
    "quarantine": {"bad_rows": 3, "row_ratio": "0.003"},
    "reconciliation": {"matched": 38, "compared": 40},
    "restated": {"changed": 2},
}
DATED = {
    "SUPABASE_DB_URL": "postgresql://db.example/postgres",
    "TAPEWATCH_CREDENTIALS__SET_ON": '{"SUPABASE_DB_URL": "2025-12-01"}',
}
_PATIENCE = 60  # two shared cores


@dataclass(frozen=True)
class Prometheus:
    """What was scraped between two moments; `$__range` is about all of it."""

    client: httpx.Client
    begin: float
    end: float

    def problem(self, target, portfolio):
        """Why a target shows nothing, or None when it shows something."""
        asked = target.expr.replace("$portfolio", portfolio)
        asked = asked.replace("$__range", f"{int(self.end - self.begin) - 1}s")
        assert "$" not in asked, asked
        if target.is_range:
            span = {"start": self.begin, "end": self.end, "step": 1}
            answer = self.client.get("/api/v1/query_range", params={"query": asked, **span})
        else:
            answer = self.client.get("/api/v1/query", params={"query": asked, "time": self.end})
        told = answer.json()
        if told["status"] != "success":
            return f"{target}: {told['error']}"
        return None if _numbers(told["data"]["result"]) else f"{target}: no data"


def _numbers(result):
    values = [value for one in result for value in one.get("values", [one.get("value")])]
    return [value for _, value in values if not math.isnan(float(value))]


@contextmanager
def scraped(tmp_path):
    """Yield the Prometheus that saw a healthy portfolio and one with every trouble there is."""
    program = find_binary("prometheus")
    folder = DataFolder(tmp_path / "data", **DATED)
    healthy, sick = _yesterday(folder)
    with ExitStack() as stack:
        target = stack.enter_context(_exporter(folder))
        client = stack.enter_context(_prometheus(program, tmp_path, target))
        begin = _wait_for_scrapes(client, 4)  # the range begins a second or two later
        _today(folder, healthy)
        _wait_for_scrapes(client, 3)
        served = replace(folder.layout, book=f"production-{SICK}")
        assert publish(served, sick, backward=True)
        _wait_for_scrapes(client, 3)
        yield Prometheus(client, begin, time.time())


def _yesterday(folder):
    yesterday = DAY - timedelta(days=1)
    before = MORNING - timedelta(days=1)
    sealed = {"day": yesterday, "sealed_at": before, "files": ("audit.json",)}
    for portfolio in (HEALTHY, SICK):
        folder.attempt(f"{portfolio}1", "published", before, portfolio=portfolio, phases=PHASES)
    some = _every_kpi("0.02", rdr_90=kpi("rdr_90", None))
    earlier = {"day": DAY - timedelta(days=2), "sealed_at": before - timedelta(days=1)}
    oldest = folder.publish(*some, portfolio=SICK, **earlier)
    keep_whole(verification_file(folder.layout, "production", "audit"), {}, before)
    keep_whole(verification_file(folder.layout, "production", "runs"), {oldest.name: 1}, before)
    healthy = folder.publish(*_every_kpi("0.02"), **sealed)
    sick = folder.publish(*some, portfolio=SICK, quality=DIRTY, before=oldest, **sealed)
    return healthy, sick


def _today(folder, yesterday):
    folder.publish(*_every_kpi("0.021"), before=yesterday)
    folder.attempt("default2", "published", phases=PHASES)
    ill = _every_kpi("0.03", par_90=kpi("par_90", "0.08", "critical"))
    folder.publish(*ill, portfolio=SICK, quality=DIRTY)
    folder.attempt("micro2", "failed", MORNING, portfolio=SICK)
    folder.attempt("micro3", "running", MORNING + timedelta(minutes=9), portfolio=SICK)


def _every_kpi(value, **others):
    names = [entry.name for entry in load_catalogue()]
    return [others.get(name) or kpi(name, value) for name in names]


@contextmanager
def _exporter(folder):
    app = make_app(folder.exporter("audit_store"), None)
    with MetricsServer("127.0.0.1", 0, app, None) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.url.removeprefix("http://")
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _prometheus(program, tmp_path, target):
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n"
        f"  - {{job_name: tapewatch, static_configs: [{{targets: ['{target}']}}]}}\n"
    )
    address = f"127.0.0.1:{_free_port()}"
    storage = tmp_path / "prometheus"
    flags = [f"--web.listen-address={address}", f"--storage.tsdb.path={storage}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        command = [program, f"--config.file={config}", *flags]
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own flags
        try:
            with httpx.Client(base_url=f"http://{address}", timeout=20, trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_scrapes(client, wanted):
    """Wait until so many more scrapes were kept, and return when the first of them was."""
    since = time.time()
    query = {"query": "tapewatch_build_info[1h]"}
    while time.time() < since + _PATIENCE:
        try:
            result = client.get("/api/v1/query", params=query).json()["data"]["result"]
        except (httpx.TransportError, ValueError, KeyError):
            result = []  # not ready yet
        moments = [float(at) for one in result for at, _ in one["values"] if float(at) > since]
        if len(moments) >= wanted:
            return moments[0]
        time.sleep(0.2)
    raise TimeoutError(f"{wanted} scrapes did not come within {_PATIENCE} s")
