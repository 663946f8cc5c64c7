"""The daily flow tells Slack by the saved block, and reads no variable for it."""

import pytest

from tests.slack_server import serve_slack
from warehouse.synthetic import write_tape


@pytest.mark.slow
def test_the_flow_posts_by_the_webhook_that_a_block_holds(prefect_server, tmp_path, monkeypatch):
    from prefect_slack import SlackWebhook

    from blocks.slack import webhook_block
    from flows.daily import daily

    monkeypatch.setenv("PIPELINE_ENV", "development")
    monkeypatch.setenv("TAPEWATCH_DATA_DIR", str(tmp_path))
    name = webhook_block("daily_summary")
    with serve_slack() as slack:
        url = slack.hook("daily_summary")
        SlackWebhook(url=url).save(name, overwrite=True, _sync=True)

        outcome = daily(inputs=[write_tape(tmp_path / "tape", 300).folder])

    SlackWebhook.delete(name, _sync=True)
    assert [(told.receiver, told.sent, told.error) for told in outcome.delivered] == [
        ("slack-daily-summary", 1, None)
    ]
    assert [where for where, _ in slack.taken] == ["daily_summary"]
