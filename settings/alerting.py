"""Who is told, where, and by whose hand: Slack's channels and ids, the pager, and the links."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Literal, cast, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from settings.value_types import BaseUrl, HeaderSecret, Section, ShortSeconds, check_header

Route = Literal[
    "risk_alerts", "compliance_updates", "executive_briefing", "daily_summary", "pipeline_failures"
]
Role = Literal["cfo", "general_counsel", "sre_oncall"]
ROUTES: tuple[Route, ...] = get_args(Route)
ROLES: tuple[Role, ...] = get_args(Role)
ROLE_OF: Mapping[Route, Role] = {  # whom a critical message of a route calls: the runbook's table
    "executive_briefing": "cfo",
    "compliance_updates": "general_counsel",
    "pipeline_failures": "sre_oncall",
}

ROUTE_OF_SECRET: Mapping[
    str, Route
] = {  # by the secret file that prometheus/alertmanager.yml names
    "slack_risk_monitoring": "risk_alerts",
    "slack_executive_briefing": "executive_briefing",
    "slack_compliance_team": "compliance_updates",
    "slack_devops_alerts": "pipeline_failures",
}

_WEBHOOK = "https://hooks.slack.com/services/"
_PARTS = re.compile(r"[A-Za-z0-9]+/[A-Za-z0-9]+/[A-Za-z0-9]+")


def _is_guarded(url: str) -> bool:
    """Whether what is sent there cannot be read on the way: by TLS, or it never leaves."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    return "@" not in url and url.startswith("https://" if not is_here else ("https://", "http://"))


def _check_secret_url(secret: SecretStr) -> SecretStr:
    if not _is_guarded(check_header(secret).get_secret_value()):
        raise ValueError("must begin with https:// (http:// on this machine alone)")
    return secret


def _check_webhook(secret: SecretStr) -> SecretStr:
    if _PARTS.fullmatch(secret.get_secret_value()):
        return secret
    return _check_secret_url(secret)


def _check_service(url: str) -> str:
    if not _is_guarded(url):
        raise ValueError("must begin with https:// (http:// on this machine alone)")
    return url


def _check_routing_key(secret: SecretStr) -> SecretStr:
    if len(check_header(secret).get_secret_value()) != 32:
        raise ValueError("must be the 32 characters of an Events API v2 integration")
    return secret


SecretUrl = Annotated[SecretStr, AfterValidator(_check_secret_url)]
ServiceUrl = Annotated[BaseUrl, AfterValidator(_check_service)]
Webhook = Annotated[SecretStr, AfterValidator(_check_webhook)]
RoutingKey = Annotated[SecretStr, AfterValidator(_check_routing_key)]
Channel = Annotated[str, StringConstraints(pattern=r"^(#[^\s#<>&]{1,80}|[CG][A-Z0-9]{6,20})$")]
# U or W is a person, S a user group: only an id calls somebody, "@cfo" in a text does not.
SlackId = Annotated[str, StringConstraints(pattern=r"^[UWS][A-Z0-9]{2,20}$")]


def role_name(role: str) -> str:
    """Return a role as the runbook and the templates spell it: general-counsel."""
    return role.replace("_", "-")


def webhook_url(webhook: SecretStr) -> str:
    """Return the whole URL of a webhook that may be given by its last three parts."""
    text = webhook.get_secret_value()
    return text if "://" in text else _WEBHOOK + text


class MentionsSettings(Section):
    """Whom Slack calls for each role of the runbook; without an id nobody is called."""

    cfo: SlackId | None = None
    general_counsel: SlackId | None = None
    sre_oncall: SlackId | None = None

    def mention(self, role: Role) -> str:
        """Return what calls the role in a message, "" when nobody is named."""
        name = cast("str | None", getattr(self, role))
        if name is None:
            return ""
        return f"<!subteam^{name}>" if name.startswith("S") else f"<@{name}>"


class AlertingSettings(Section):
    """Which side calls people, and where people find what an alert is about."""

    mentions_by: Literal["alertmanager", "flow"]  # the other side posts no mention
    mentions: MentionsSettings
    runbooks_url: BaseUrl | None = None  # "/<Alert>.md" is appended
    grafana_url: BaseUrl | None = None
    reports_url: BaseUrl | None = None  # where the logs folder is served


class AlertChannels(Section):
    """The runbook's table: one channel a route."""

    risk_alerts: Channel
    compliance_updates: Channel
    executive_briefing: Channel
    daily_summary: Channel
    pipeline_failures: Channel


class SlackWebhooks(Section):
    """One incoming webhook a channel: an app's webhook is bound to its channel."""

    risk_alerts: Webhook | None = None
    compliance_updates: Webhook | None = None
    executive_briefing: Webhook | None = None
    daily_summary: Webhook | None = None
    pipeline_failures: Webhook | None = None


class SlackSettings(Section):
    """Slack by one webhook a channel, or by one bot token for all of them."""

    bot_token: HeaderSecret | None = None
    webhook_token: Webhook | None = None  # for every route without a webhook of its own
    webhooks: SlackWebhooks
    alert_channels: AlertChannels
    api_url: ServiceUrl
    seconds: Annotated[ShortSeconds, Field(le=10)]  # of one message

    def channel(self, route: Route) -> str:
        """Return the channel of a route."""
        return cast("str", getattr(self.alert_channels, route))

    def webhook(self, route: Route) -> str | None:
        """Return the URL of the route's webhook, None when there is none."""
        own = self.own_webhook(route) or self.webhook_token
        return None if own is None else webhook_url(own)

    def own_webhook(self, route: Route) -> SecretStr | None:
        """Return the webhook that is of this route alone, None when there is none."""
        return cast("SecretStr | None", getattr(self.webhooks, route))

    def has_way(self, route: Route) -> bool:
        """Whether a message of this route can be sent at all."""
        return self.bot_token is not None or self.webhook(route) is not None

    @property
    def is_configured(self) -> bool:
        """Whether any message can be sent at all."""
        return any(self.has_way(route) for route in ROUTES)


class PagerDutySettings(Section):
    """The pager of on-call: PagerDuty's Events API v2, asked by Alertmanager."""

    routing_key: RoutingKey | None = None
    url: ServiceUrl


class IntegrationsSettings(Section):
    """The services that tell people."""

    slack: SlackSettings
    pagerduty: PagerDutySettings
    heartbeat_url: SecretUrl | None = None  # hears from Alertmanager that alerting works


def secret_files(integrations: IntegrationsSettings) -> Mapping[str, str | None]:
    """Return what each secret file of prometheus/alertmanager.yml must hold, None when not set."""
    slack, key = integrations.slack, integrations.pagerduty.routing_key
    beat = integrations.heartbeat_url
    return {
        **{name: slack.webhook(route) for name, route in ROUTE_OF_SECRET.items()},
        "pagerduty_routing_key": None if key is None else key.get_secret_value(),
        "heartbeat_url": None if beat is None else beat.get_secret_value(),
    }
