"""The delivery flow: what a run could not tell, the flow tells, by the block or the settings."""

import pytest

from tests.flows.test_daily import task_runs
from warehouse.synthetic import write_tape

DEAD = "postgresql://app:canary-password@127.0.0.1:9/x"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SUPABASE_DB_URL", DEAD)
    return tmp_path


def test_the_flow_sends_what_the_run_could_not(prefect_server, home, database, monkeypatch):
    from blocks.audit_store import AuditStore
    from flows.daily import daily
    from flows.deliver import deliver
    from settings.errors import SourceUnavailableError

    outcome = daily(inputs=[write_tape(home / "tape", 300).folder])
    assert outcome.outcome == "published"
    (told,) = outcome.delivered
    assert (told.pending, told.error.code) == (1, "AUDIT_STORE_UNAVAILABLE")
    state = home / "data/delivery/development/audit_store/state.json"
    state.unlink()  # its minute of rest is over
    with pytest.raises(SourceUnavailableError):
        deliver()
    state.unlink()

    AuditStore(db_url=database.url("app")).save("development", overwrite=True, _sync=True)
    (sent,) = deliver()

    assert (sent.sent, sent.pending) == (1, 0)
    stored = database.rows("app", "select run_folder from analytics.pipeline_runs")
    assert stored == [(outcome.sealed.name,)]
    AuditStore.delete("development", _sync=True)
    assert "deliver" in {run.name.partition("-")[0] for run in task_runs()}
