"""`tapewatch blocks register`: every block from the environment, found again by the flows."""

import pytest

from settings.load import load_settings
from tests.deployments.conftest import KEY
from tests.flows.test_daily import prefect_database

HOOK = "https://hooks.slack.com/services/T0/B0/canary4711"
VARIABLES = {
    "PIPELINE_ENV": "development",
    "TAPEWATCH_PII_KEY": KEY,
    "CASCADE_SESSION_COOKIE": "session=canary4711",
    "CASCADE_EXPORT_URL": "/exports/tape.zip?token=canary4711",
    "SUPABASE_DB_URL": "postgresql://app:canary4711@127.0.0.1:9/x",
    "SLACK_BOT_TOKEN": "xoxb-canary4711",
    "SLACK_WEBHOOK_RISK_ALERTS": HOOK,
}


def test_every_block_is_saved_and_found_again_without_the_variables(prefect_server, tmp_path):
    from blocks.register import register_blocks
    from blocks.slack import load_slack_settings

    home = {"TAPEWATCH_DATA_DIR": str(tmp_path)}
    saved = register_blocks(load_settings(VARIABLES | home))

    bare = {name: VARIABLES[name] for name in ("PIPELINE_ENV", "TAPEWATCH_PII_KEY")}
    slack = load_slack_settings(load_settings(bare | home))
    assert saved == (
        "cascade-export/default",
        "audit-store/development",
        "slack-credentials/slack",
        "slack-incoming-webhook/slack-risk-alerts",
    )
    assert slack.own_webhook("risk_alerts").get_secret_value() == HOOK
    assert slack.bot_token.get_secret_value() == "xoxb-canary4711"
    assert b"canary4711" not in prefect_database()
    _forget(saved)


def _forget(saved):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for name in saved:
            kind, _, block = name.partition("/")
            found = client.read_block_document_by_name(block, kind)
            client.delete_block_document(found.id)


def test_without_a_server_one_line_says_what_to_set(monkeypatch, capsys):
    from deployments import register

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(register, "PREFECT_API_URL", type("Unset", (), {"value": lambda: None}))

    assert register.main() == 78
    told = capsys.readouterr().err
    assert told.startswith("TAPEWATCH-PREFECT_NOT_SET: ")
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_server_that_is_not_there_is_one_line(monkeypatch, capfd, tmp_path):
    from deployments.cli import run_command

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")

    code = run_command(["blocks", "register"])

    told = capfd.readouterr().err
    assert code == 69, told
    assert told.startswith("TAPEWATCH-PREFECT_UNREACHABLE: ")
    assert told.count("\n") == 1
    assert "canary" not in told
