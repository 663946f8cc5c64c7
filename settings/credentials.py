"""The section of the settings that says when credentials were set, and how long they may last."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from settings.value_types import Days, Section

# By the variable that sets each; a certificate by that of its file. Of the other secrets the
# masking key must never change, and URLs that are no credential are kept secret to be safe.
CredentialName = Literal[
    "CASCADE_SESSION_COOKIE",
    "SUPABASE_SERVICE_ROLE",
    "SUPABASE_SERVICE_ROLE_KEY",
    "SUPABASE_DB_URL",
    "SLACK_BOT_TOKEN",
    "SLACK_WEBHOOK_TOKEN",
    "SLACK_WEBHOOK_RISK_ALERTS",
    "SLACK_WEBHOOK_COMPLIANCE_UPDATES",
    "SLACK_WEBHOOK_EXECUTIVE_BRIEFING",
    "SLACK_WEBHOOK_DAILY_SUMMARY",
    "SLACK_WEBHOOK_PIPELINE_FAILURES",
    "PAGERDUTY_ROUTING_KEY",
    "TAPEWATCH_PREFECT__AUTH_STRING",
    "TAPEWATCH_EXPORTER__PASSWORD",
    "TAPEWATCH_EXPORTER__CERT_FILE",
]

Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]


class CredentialsSettings(Section):
    """What a credential does not say of itself; none of it changes a value."""

    set_on: Mapping[CredentialName, Day]
    expires_on: Mapping[CredentialName, Day]  # the first day on which it is of no use
    rotate_after_days: Days  # counted from set_on
