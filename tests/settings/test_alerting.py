"""Where messages go and whom they call, as the settings say it."""

import pytest

from settings.alerting import ROUTES, secret_files
from settings.load import InvalidSettingError, load_settings

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
HOOK = "https://hooks.slack.com/services/T0/B0/secret"


def load(**variables):
    return load_settings(KEY | variables)


def test_the_channels_are_the_runbooks():
    slack = load().integrations.slack

    assert {route: slack.channel(route) for route in ROUTES} == {
        "risk_alerts": "#risk-monitoring",
        "compliance_updates": "#compliance-team",
        "executive_briefing": "#executive-briefing",
        "daily_summary": "#fintech-reports",
        "pipeline_failures": "#devops-alerts",
    }


def test_without_a_secret_slack_is_off_and_every_secret_file_is_empty():
    integrations = load().integrations

    assert not integrations.slack.is_configured
    assert set(secret_files(integrations).values()) == {None}


@pytest.mark.parametrize("given", [HOOK, "T0/B0/secret"])
def test_a_webhook_is_its_url_or_its_three_parts(given):
    slack = load(SLACK_WEBHOOK_TOKEN=given).integrations.slack

    assert slack.is_configured
    assert {slack.webhook(route) for route in ROUTES} == {HOOK}


def test_a_route_of_its_own_outranks_the_webhook_for_all():
    slack = load(SLACK_WEBHOOK_TOKEN=HOOK, SLACK_WEBHOOK_RISK_ALERTS="T1/B1/own").integrations.slack

    assert slack.webhook("risk_alerts") == "https://hooks.slack.com/services/T1/B1/own"
    assert slack.webhook("daily_summary") == HOOK


def test_a_bot_token_alone_turns_slack_on():
    token = {"SLACK_BOT_TOKEN": "xoxb-1"}

    assert load(**token).integrations.slack.is_configured


def test_a_person_and_a_group_are_called_by_their_ids_and_nobody_without_one():
    variables = {
        "TAPEWATCH_ALERTING__MENTIONS__CFO": "U0CFO",
        "TAPEWATCH_ALERTING__MENTIONS__SRE_ONCALL": "S0SRE",
    }
    mentions = load(**variables).alerting.mentions

    assert mentions.mention("cfo") == "<@U0CFO>"
    assert mentions.mention("sre_oncall") == "<!subteam^S0SRE>"
    assert mentions.mention("general_counsel") == ""


@pytest.mark.parametrize("given", ["@cfo", "<!channel>", "cfo", "C0CHANNEL", "U0>x"])
def test_what_is_no_id_of_a_person_or_group_cannot_be_called(given):
    with pytest.raises(InvalidSettingError, match="TAPEWATCH_ALERTING__MENTIONS__CFO"):
        load(TAPEWATCH_ALERTING__MENTIONS__CFO=given)


@pytest.mark.parametrize(
    "given",
    [
        "http://hooks.slack.com/services/T0/B0/x",
        "http://127.0.0.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "hooks.slack.com/services",
        "ftp://127.0.0.1/x",
    ],
)
def test_a_webhook_that_could_be_read_on_its_way_is_refused_without_being_shown(given):
    with pytest.raises(InvalidSettingError, match="SLACK_WEBHOOK_TOKEN: must begin with") as raised:
        load(SLACK_WEBHOOK_TOKEN=given)

    assert given not in str(raised.value)


def test_every_secret_of_alertmanager_comes_from_its_setting():
    integrations = load(
        SLACK_WEBHOOK_TOKEN=HOOK,
        SLACK_WEBHOOK_PIPELINE_FAILURES="http://127.0.0.1:9/devops",
        PAGERDUTY_ROUTING_KEY="k" * 32,
        TAPEWATCH_INTEGRATIONS__HEARTBEAT_URL="https://beat.example/x",
    ).integrations

    assert secret_files(integrations) == {
        "slack_risk_monitoring": HOOK,
        "slack_executive_briefing": HOOK,
        "slack_compliance_team": HOOK,
        "slack_devops_alerts": "http://127.0.0.1:9/devops",
        "pagerduty_routing_key": "k" * 32,
        "heartbeat_url": "https://beat.example/x",
    }
