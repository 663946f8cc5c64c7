"""What a failed run says: what stays served meanwhile, and what a good run has made the past."""

from datetime import timedelta

import pytest

from tests.slack_server import Answer

DEVOPS, COMPLIANCE = "pipeline_failures", "compliance_updates"
MINUTE = timedelta(minutes=1)


def words_of(slack, route=DEVOPS):
    """Return all that each message of a channel says, in the order they came."""
    return [
        "\n".join(block["text"]["text"] for block in payload["blocks"] if "text" in block)
        for where, payload in slack.taken
        if where == route
    ]


def test_a_failure_before_the_first_good_run_promises_no_figures(desk, slack):
    desk.fail()

    desk.send()

    [text] = words_of(slack)
    assert "Nothing is served: there has been no good run yet." in text


@pytest.mark.parametrize("code", ["HASH_MISMATCH", "RUN_CONFLICT"])
def test_a_damaged_run_is_not_called_right(desk, slack, code):
    folder = desk.seal()
    desk.succeed(folder, ago=9 * MINUTE)
    desk.fail(code)

    desk.send()

    for text in (*words_of(slack), *words_of(slack, COMPLIANCE)):
        assert f"Run `{folder.name}` is still served. Rely on no figure before" in text
        assert "right" not in text


def test_a_failure_after_a_good_run_names_what_stays_served(desk, slack):
    folder = desk.seal()
    desk.succeed(folder, ago=9 * MINUTE)
    desk.fail()

    desk.send()

    [text] = words_of(slack)
    assert f"Run `{folder.name}` stays served: its figures are right" in text


def test_failures_that_waited_until_a_good_run_are_one_message_that_calls_nobody(desk, slack):
    for minutes in (30, 20, 10):
        desk.fail("ABANDONED", ago=minutes * MINUTE, status="abandoned")
    folder = desk.seal()
    desk.succeed(folder)

    results = [desk.send()["pipeline-failures"] for _ in range(2)]

    [text] = words_of(slack)
    title, *_ = text.splitlines()
    assert title == ("🩹 [staging] default · 3 runs failed, and a good one has followed: ABANDONED")
    assert f"Run `{folder.name}` has followed" in text
    assert [(r.sent, r.pending) for r in results] == [(3, 0), (0, 0)]


def test_no_good_run_mends_what_was_altered_after_it_was_sealed(desk, slack):
    desk.fail("HASH_MISMATCH", ago=30 * MINUTE)
    desk.succeed(desk.seal())

    desk.send()

    [text] = words_of(slack)
    assert text.startswith("🔥 [staging] default · The run failed in ingestion: HASH_MISMATCH")
    assert "nothing waits to be mended" not in text


def test_a_failure_after_the_good_run_is_told_as_one(desk, slack):
    desk.fail("ABANDONED", ago=30 * MINUTE, status="abandoned")
    desk.succeed(desk.seal(), ago=20 * MINUTE)
    desk.fail("SCHEMA_MISSING", ago=10 * MINUTE)

    desk.send()

    titles = [text.splitlines()[0] for text in words_of(slack)]
    assert titles == [
        "🩹 [staging] default · A run failed, and a good one has followed: ABANDONED",
        "🔥 [staging] default · The run failed in ingestion: SCHEMA_MISSING",
    ]


def test_a_good_run_of_one_portfolio_heals_no_other(desk, slack):
    desk.fail(ago=30 * MINUTE, portfolio="lender-a")
    desk.fail(ago=20 * MINUTE, portfolio="lender-b")
    desk.succeed(desk.seal(), portfolio="lender-a")

    desk.send()

    texts = {text.splitlines()[0]: text for text in words_of(slack)}
    assert set(texts) == {
        "🩹 [staging] lender-a · A run failed, and a good one has followed: SCHEMA_MISSING",
        "🔥 [staging] lender-b · The run failed in ingestion: SCHEMA_MISSING",
    }
    [lost] = [text for title, text in texts.items() if "lender-b" in title]
    assert "Nothing is served" in lost


def test_a_refused_message_of_failures_in_one_is_not_sent_again(desk, slack):
    for minutes in (20, 10):
        desk.fail("ABANDONED", ago=minutes * MINUTE, status="abandoned")
    desk.succeed(desk.seal())
    slack.answers.append(Answer(404, "no_service"))

    results = [desk.send()["pipeline-failures"] for _ in range(2)]

    assert [(r.refused, r.pending) for r in results] == [(2, 0), (0, 0)]


def test_a_failed_attempt_is_told_with_its_phase_its_error_and_its_fix(desk, slack):
    desk.fail()

    for _ in range(2):
        desk.send()

    [(where, payload)] = slack.taken
    texts = [block["text"]["text"] for block in payload["blocks"][1:3]]
    assert where == DEVOPS
    assert payload["text"] == "🔥 [staging] default · The run failed in ingestion: SCHEMA_MISSING"
    assert texts == [
        "SCHEMA_MISSING: the column &lt;!channel&gt; is missing",
        "What to do: export it again",
    ]


def test_a_refusal_that_an_auditor_asks_about_is_told_to_compliance_as_well(desk, slack):
    desk.fail("QUALITY_GATE")

    desk.send()

    assert sorted(where for where, _ in slack.taken) == [COMPLIANCE, DEVOPS]


def test_who_cancels_a_run_is_not_told_of_it(desk, slack):
    desk.fail(status="canceled")

    desk.send()

    assert slack.taken == []
