"""What a run says, shown or sent to a test address; and what a person announces."""

import json
import re

import pytest

from deployments.observe.block_kit import problems_of
from deployments.observe.stand_ins import stand_ins
from tests.slack_server import Answer, serve_slack

CHANNELS = frozenset({"#risk-monitoring", "#fintech-reports", "#executive-briefing"})


@pytest.fixture
def slack():
    with serve_slack() as served:
        yield served


@pytest.fixture
def hooked(full_home, monkeypatch, slack):
    for name, value in slack.variables().items():
        monkeypatch.setenv(name, value)
    return full_home


def test_a_dry_run_shows_each_message_in_its_channel_and_sends_nothing(hooked, tapewatch, slack):
    done = tapewatch("notify", "--dry-run")

    assert done.code == 0, done.err
    assert "#fintech-reports" in done.out
    assert re.search(r"Summary of \d{4}-\d\d-\d\d", done.out)
    assert "ref `" in done.out
    assert slack.tries == 0


def test_a_dry_run_gives_the_payloads_as_json(hooked, tapewatch):
    told = json.loads(tapewatch("notify", "--dry-run", "--json").out)["messages"]

    assert {"daily_summary", "executive_briefing"} <= {message["kind"] for message in told}
    assert [problems_of(message["payload"]) for message in told] == [[]] * len(told)


def test_every_message_of_a_run_can_be_sent_to_a_test_address(full_home, tapewatch, slack):
    done = tapewatch("notify", "--to", slack.hook("test"))

    sent = [where for where, _ in slack.taken]
    assert done.code == 0, done.err
    assert set(sent) == {"test"}
    assert len(sent) == len(json.loads(tapewatch("notify", "--dry-run", "--json").out)["messages"])
    assert not list(full_home.glob("data/delivery/*/slack-*"))


def test_an_address_that_could_be_read_on_its_way_is_refused(full_home, tapewatch):
    done = tapewatch("notify", "--to", "http://hooks.example/canary")

    assert done.code == 64
    assert "BAD_ADDRESS" in done.err
    assert "canary" not in done.err


def test_it_must_be_said_whether_to_show_or_to_send(full_home, tapewatch):
    assert tapewatch("notify").code == 64


def test_an_announcement_is_told_at_once_and_kept(hooked, tapewatch, slack):
    text = "Deployed 0.2 <!channel> & *all* is well"

    done = tapewatch("announce", text, "--route", "pipeline_failures")

    [(where, payload)] = slack.taken
    assert (done.code, where) == (0, "pipeline_failures")
    said = payload["blocks"][1]["text"]
    assert said["type"] == "plain_text"
    assert said["text"] == "Deployed 0.2 &lt;!channel&gt; &amp; *all* is well"
    [line] = (hooked / "data/delivery/development/announced.jsonl").read_text().splitlines()
    kept = json.loads(line)
    assert (kept["text"], kept["channel"]) == (text, "#devops-alerts")
    assert kept["ref"] in done.out
    assert "told #devops-alerts by its own webhook, of the settings" in done.out


@pytest.mark.parametrize(
    ("answer", "code", "name"),
    [
        (Answer(503), 69, "SLACK_UNAVAILABLE"),
        (Answer(404, "no_service"), 65, "SLACK_REFUSED"),
        (Answer(429, headers={"Retry-After": "5"}), 69, "RATE_LIMITED"),
    ],
)
def test_an_announcement_that_was_not_taken_is_one_line(
    hooked, tapewatch, slack, answer, code, name
):
    slack.answers.append(answer)

    done = tapewatch("announce", "hello", "--route", "risk_alerts")

    assert done.code == code
    assert done.err.startswith(f"TAPEWATCH-{name}: ")
    assert done.err.count("\n") == 1
    assert not (hooked / "data/delivery/development/announced.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("hello", "--route", "everybody"), 64),
        (("  ", "--route", "risk_alerts"), 64),
        (("hello", "--route", "risk_alerts"), 78),  # nothing leads there
    ],
)
def test_what_cannot_be_announced_says_why(home, tapewatch, arguments, code):
    assert tapewatch("announce", *arguments).code == code


def test_a_run_tells_its_channels_at_its_end_and_the_same_tape_again_nothing(
    home, tape, tapewatch, slack, monkeypatch
):
    for name, value in slack.variables().items():
        monkeypatch.setenv(name, value)

    first, again = (tapewatch("run", "--input", tape) for _ in range(2))

    assert (first.code, again.code) == (0, 0), first.err
    assert slack.texts("daily_summary")[0].startswith(("🟢", "🟡", "🔴", "⚪"))
    assert len(slack.taken) == len(set(slack.refs()))
    assert "slack-daily-summary: 1 sent" in first.out


def test_the_stand_ins_of_a_drill_take_the_messages_of_a_run(full_home, tapewatch, monkeypatch):
    told = json.loads(tapewatch("notify", "--dry-run", "--json").out)["messages"]

    with stand_ins(CHANNELS) as heard:
        for message in told:
            path = heard.webhook(message["channel"]).removeprefix(heard.url)
            body = json.dumps(message["payload"]).encode()
            if message["channel"] in CHANNELS:
                assert heard.take(path, body) == (200, "ok"), heard.refused
        broken = {"text": "x", "blocks": [{"type": "header", "text": {"type": "mrkdwn"}}]}
        assert heard.take("/slack/risk-monitoring", json.dumps(broken).encode())[0] == 400


def test_a_delivery_says_whose_receivers_it_told_and_a_429_is_no_failure(hooked, tapewatch, slack):
    slack.always = Answer(429, headers={"Retry-After": "600"})

    done = tapewatch("deliver")

    assert done.code == 0, done.err
    assert "left alone for 600 s" in done.out
    assert "sent by the settings (what Prefect's blocks hold is for the flows)" in done.out
