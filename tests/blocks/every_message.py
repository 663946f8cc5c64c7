"""Messages of every kind by hand, with data that would do harm in them if it could."""

from dataclasses import replace
from datetime import timedelta

from settings.load import load_settings
from tests.warehouse.messages_by_hand import MONDAY, manifest_of, news_of, value_of
from warehouse.attempt_folder import ErrorFacts
from warehouse.attempt_messages import attempt_messages
from warehouse.attempt_state import AttemptRecord
from warehouse.dead_letters import digest_message
from warehouse.message_rules import decide_messages
from warehouse.messages import Message
from warehouse.run_folder import SealedRun

EVIL = "<!channel> <@U0CFO> <http://evil.example|ok> & *x* `code` ```\n@here #general"
IDS = {
    "PIPELINE_ENV": "staging",
    "TAPEWATCH_PII_KEY": "k" * 16,
    "TAPEWATCH_ALERTING__MENTIONS__CFO": "U0CFO",
    "TAPEWATCH_ALERTING__MENTIONS__GENERAL_COUNSEL": "U0COUNSEL",
    "TAPEWATCH_ALERTING__MENTIONS__SRE_ONCALL": "S0SRE",
    "TAPEWATCH_ALERTING__RUNBOOKS_URL": "https://docs.example/runbooks",
    "TAPEWATCH_ALERTING__GRAFANA_URL": "https://grafana.example",
    "TAPEWATCH_ALERTING__REPORTS_URL": "https://reports.example/logs",
}
FLOW = load_settings(IDS).alerting
OTHER = load_settings(IDS | {"TAPEWATCH_ALERTING__MENTIONS_BY": "alertmanager"}).alerting
LOANS = [
    {
        "loan": f"#{n:012x}",
        "principal": "12500.00",
        "principal_before": "12500.00",
        "days_past_due": 91,
        "days_past_due_before": 90,
        "amount": "0.004",
    }
    for n in range(3)
]
PARTS = [
    {
        "name": "new_delinquency",
        "title": "New delinquencies",
        "amount": "0.0131",
        "loans": 12,
        "book": None,
    },
    {"name": "cure", "title": "Cures", "amount": "-0.0011", "loans": 1, "book": "larger"},
]
CHANGE = {"since": "2025-12-07", "parts": PARTS, "loans": LOANS}


def near(as_of, **values):
    kpis = tuple(value_of(name, value, as_of) for name, value in values.items())
    return SealedRun(None, manifest_of(as_of, kpis))


def messages_of_run(par_90=0.053, quality=None):
    told = {
        "day": near(MONDAY - timedelta(days=1), par_90=0.041),
        "week": near(MONDAY - timedelta(days=7), par_90=0.03),
    }
    news = news_of(MONDAY, {"par_90": par_90, "outstanding": 1000}, quality=quality, near=told)
    return decide_messages(replace(news, changes={"par_90": CHANGE})).messages


def failure(message=EVIL, code_="QUALITY_GATE"):
    error = ErrorFacts(code_, message, EVIL, 65)
    record = AttemptRecord(
        "a0", "failed", "staging", "default", "2025-12-08T09:00:00Z", "log", error=error
    )
    return [told for _, told in attempt_messages(record, None)]


def one_of_each():
    """Return a message of every kind, with data that would do harm if it could."""
    restated = {
        "run": EVIL,
        "as_of": "2025-12-07",
        "changed": 2,
        "kpis": [
            {"kpi": "par_90", "before": "0.05", "after": "0.06"},
            {"kpi": EVIL, "before": None, "after": "1"},
        ],
    }
    bad = {
        "checks": {EVIL: 7},
        "failed": [EVIL],
        "restated": restated,
        "reconciliation": {"matched": 1, "compared": 2},
        "quarantine": {"loans": 3, "bad_rows": 4, "rows": 9, "row_ratio": "0.002", "reasons": {}},
    }
    alerts = messages_of_run(quality=bad)
    known = {message.kind: message for message in alerts}
    alert, quarantine = (
        next(m for m in alerts if m.subject == s) for s in ("par_90", "quarantine")
    )
    notes = Message(
        "a" * 36,
        "delivery_refused",
        "pipeline_failures",
        "critical",
        "",
        "x",
        {
            "environment": "staging",
            "receiver": "slack-x",
            "code": "SLACK_REFUSED",
            "message": EVIL,
            "items": 2,
        },
    )
    said = Message(
        "b" * 36,
        "announcement",
        "pipeline_failures",
        "info",
        "",
        "",
        {
            "environment": "staging",
            "text": EVIL,
            "by": EVIL,
        },
    )
    more = [replace(alert, kind="reminder"), replace(alert, kind="recovered"), notes, said]
    more += [replace(quarantine, kind=kind) for kind in ("reminder", "recovered")]
    more += failure()
    everything = [*known.values(), *more]
    return [*everything, digest_message("staging", "risk_alerts", "2025-12-08", everything * 4)]


def texts(payload):
    """Return every text of a message with its type."""
    for block in payload["blocks"]:
        for element in block.get("elements") or [block["text"]]:
            yield element["type"], element["text"]


def executives_alert():
    told = (m for m in messages_of_run() if m.route == "executive_briefing")
    [alert] = [message for message in told if message.kind == "kpi_alert"]
    return alert
