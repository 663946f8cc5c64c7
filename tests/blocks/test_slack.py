"""What Slack answers, and what is made of it: taken, later, or never."""

import time

import pytest

from blocks.clients.slack import (
    NoChannelError,
    SlackRefusedError,
    SlackUnavailableError,
    need_way,
    post,
    way_of,
)
from settings.load import load_settings
from tests.slack_server import TOKEN, Answer
from warehouse.delivery_box import AskedToWaitError

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
MESSAGE = {
    "text": "hello",
    "blocks": [{"type": "section", "text": {"type": "plain_text", "text": "hello"}}],
}
LATER, NEVER = SlackUnavailableError, SlackRefusedError


def settings_of(**variables):
    return load_settings(KEY | variables).integrations.slack


def webhook(slack):
    return need_way(settings_of(**slack.variables()), "risk_alerts")


def bot(slack):
    api = {"TAPEWATCH_INTEGRATIONS__SLACK__API_URL": slack.api}
    return need_way(settings_of(SLACK_BOT_TOKEN=TOKEN, **api), "risk_alerts")


def test_a_webhook_takes_a_message_and_gives_it_no_name(slack):
    assert post(webhook(slack), MESSAGE, 3) is None
    assert [where for where, _ in slack.taken] == ["risk_alerts"]


def test_the_api_takes_a_message_for_a_channel_and_names_it(slack):
    assert post(bot(slack), MESSAGE, 3) == "1733.000001"
    assert [where for where, _ in slack.taken] == ["#risk-monitoring"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(500), LATER),
        (Answer(502, "<html>bad gateway</html>"), LATER),
        (Answer(503), LATER),
        (Answer(408), LATER),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/login"}), LATER),
        (Answer(200, "<html>sign in to the hotel</html>"), LATER),
        (Answer(how="reset"), LATER),
        (Answer(how="cut"), LATER),
        (Answer(400, "invalid_payload"), NEVER),
        (Answer(403, "invalid_token"), NEVER),
        (Answer(403, "action_prohibited"), NEVER),
        (Answer(404, "channel_not_found"), NEVER),
        (Answer(404, "no_service"), NEVER),
        (Answer(410, "channel_is_archived"), NEVER),
        (Answer(410), NEVER),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else f"{value.status}{value.how}",
)
def test_a_webhook_that_does_not_take_it_says_so_for_now_or_for_good(slack, answer, error):
    slack.answers.append(answer)

    with pytest.raises(error):
        post(webhook(slack), MESSAGE, 3)

    assert slack.tries == 1  # the outbox tries again, nobody else


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("channel_not_found", NEVER),
        ("not_in_channel", NEVER),
        ("is_archived", NEVER),
        ("invalid_auth", NEVER),
        ("token_revoked", NEVER),
        ("invalid_blocks", NEVER),
        ("msg_too_long", NEVER),
        ("something_new", NEVER),
        ("internal_error", LATER),
        ("fatal_error", LATER),
        ("service_unavailable", LATER),
        ("ratelimited", AskedToWaitError),
    ],
)
def test_the_api_says_what_is_wrong_in_an_answer_200(slack, reason, error):
    slack.answers.append(Answer(200, f'{{"ok": false, "error": "{reason}"}}'))

    with pytest.raises(error):
        post(bot(slack), MESSAGE, 3)


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(200, "no json"), Answer(200, "[]"), Answer(how="reset")]
)
def test_the_api_may_fail_like_any_server(slack, answer):
    slack.answers.append(answer)

    with pytest.raises(LATER):
        post(bot(slack), MESSAGE, 3)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7), ("", 30), ("soon", 30), ("-5", 30), ("3600", 3600)]
)
def test_an_answer_429_names_how_long_to_wait(slack, header, seconds):
    slack.answers.append(Answer(429, headers={"Retry-After": header} if header else {}))

    with pytest.raises(AskedToWaitError) as raised:
        post(webhook(slack), MESSAGE, 3)

    assert raised.value.seconds == seconds


@pytest.mark.parametrize("answer", [Answer(how="hang"), Answer(200, "ok" * 40, how="drip")])
def test_a_message_takes_no_longer_than_it_may(slack, answer):
    slack.answers.append(answer)
    started = time.monotonic()

    with pytest.raises(LATER):
        post(webhook(slack), MESSAGE, 0.5)

    assert time.monotonic() - started < 1.5


def test_headers_that_come_one_by_one_take_no_longer_than_the_message_may(slack):
    slack.answers.append(Answer(how="slow_headers"))  # whole after ten seconds
    started = time.monotonic()

    with pytest.raises(LATER, match="ReadTimeout"):
        post(webhook(slack), MESSAGE, 0.5)

    assert time.monotonic() - started < 5


def test_an_answer_that_is_whole_counts_however_long_it_took(slack):
    slack.answers.append(Answer(200, "ok", how="drip"))  # a letter each 0.3 s

    assert post(webhook(slack), MESSAGE, 20) is None


def test_nobody_listening_is_a_failure_for_now():
    hook = {"SLACK_WEBHOOK_TOKEN": "http://127.0.0.1:9/services/x"}

    with pytest.raises(LATER, match="#risk-monitoring"):
        post(need_way(settings_of(**hook), "risk_alerts"), MESSAGE, 3)


def test_no_secret_is_in_an_error_a_log_or_what_is_seen_of_a_way(slack, caplog):
    caplog.set_level(0)
    for way, answer in (
        (webhook(slack), Answer(404, "no_service")),
        (webhook(slack), Answer(how="reset")),
        (bot(slack), Answer(403, "<html>")),
    ):
        slack.answers.append(answer)
        with pytest.raises((LATER, NEVER)) as raised:
            post(way, MESSAGE, 3)
        assert "canary" not in f"{way!r} {raised.value.line()} {raised.value.evidence}"
    assert "canary" not in caplog.text


def test_no_proxy_of_the_environment_is_used(slack, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    post(webhook(slack), MESSAGE, 3)

    assert len(slack.taken) == 1


def test_a_channel_is_reached_by_its_own_webhook_then_the_token_then_the_common_webhook():
    common = {"SLACK_WEBHOOK_TOKEN": "T/B/all"}
    own = {"SLACK_WEBHOOK_RISK_ALERTS": "T/B/own"}
    slack = settings_of(**own, **common, SLACK_BOT_TOKEN=TOKEN)

    assert way_of(slack, "risk_alerts").url.endswith("/T/B/own")
    assert way_of(slack, "daily_summary").token == TOKEN
    assert way_of(settings_of(**common), "daily_summary").url.endswith("/T/B/all")


def test_a_channel_that_nothing_leads_to_is_named_with_the_variable_to_set():
    with pytest.raises(NoChannelError, match="#risk-monitoring") as raised:
        need_way(settings_of(), "risk_alerts")

    assert "SLACK_WEBHOOK_RISK_ALERTS" in raised.value.fix
