"""Slack's blocks: what they hold outranks the variables, and nothing of it is said aloud."""

import pytest
from prefect_slack import SlackCredentials, SlackWebhook

from blocks import slack as blocks_slack
from blocks.slack import SlackBlockError, load_slack_settings
from settings.load import load_settings

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}


@pytest.fixture
def saved(monkeypatch):
    """The blocks that are saved, by name; loading one asks no server."""
    found = {}
    monkeypatch.setattr(blocks_slack, "_load", lambda kind, name: found.get(name))
    return found


def test_without_blocks_the_settings_are_as_the_variables_say(saved):
    settings = load_settings(KEY | {"SLACK_WEBHOOK_TOKEN": "T/B/all"})

    assert load_slack_settings(settings) == settings.integrations.slack


def test_the_webhook_of_a_block_outranks_the_variable_of_its_channel_alone(saved):
    saved["slack-risk-alerts"] = SlackWebhook(url="https://hooks.slack.com/services/T/B/block")
    settings = load_settings(KEY | {"SLACK_WEBHOOK_TOKEN": "T/B/all"})

    slack = load_slack_settings(settings)

    assert slack.webhook("risk_alerts").endswith("/T/B/block")
    assert slack.webhook("daily_summary").endswith("/T/B/all")


def test_a_bot_token_of_a_block_leads_to_every_channel(saved):
    saved["slack"] = SlackCredentials(token="xoxb-1")  # noqa: S106 - no token

    slack = load_slack_settings(load_settings(KEY))

    assert slack.has_way("pipeline_failures")
    assert slack.bot_token.get_secret_value() == "xoxb-1"


def test_a_block_that_is_no_webhook_is_named_and_not_repeated(saved):
    saved["slack-risk-alerts"] = SlackWebhook(url="http://elsewhere.example/canary")

    with pytest.raises(SlackBlockError, match="slack-incoming-webhook/slack-risk-alerts") as raised:
        load_slack_settings(load_settings(KEY))

    assert "canary" not in raised.value.line()
