"""Save every block that the settings of this process can fill, in the running Prefect server."""

from collections.abc import Iterator

from prefect.blocks.core import Block
from prefect_slack import (  # pyright: ignore[reportMissingTypeStubs]
    SlackCredentials,
    SlackWebhook,
)
from pydantic import SecretStr

from blocks.audit_store import AuditStore
from blocks.cascade import CascadeExport
from blocks.slack import TOKEN_BLOCK, webhook_block
from settings.alerting import ROUTES
from settings.model import Settings


def register_blocks(settings: Settings) -> tuple[str, ...]:
    """Save cascade-export, audit-store and Slack's blocks; return the names of those saved.

    What the environment does not set is left as it is in the server.

    Raises:
        ConfigError: The settings name one by halves.
    """
    saved: list[str] = []
    for name, block in _blocks(settings):
        block.save(name, overwrite=True, _sync=True)  # pyright: ignore[reportCallIssue, reportUnknownMemberType]
        saved.append(f"{type(block).get_block_type_slug()}/{name}")
    return tuple(saved)


def _blocks(settings: Settings) -> Iterator[tuple[str, Block]]:
    cascade, audit, slack = settings.cascade, settings.audit, settings.integrations.slack
    portfolio = settings.portfolio.name
    if cascade.is_configured and cascade.session_cookie and cascade.export_url:
        yield (
            portfolio,
            CascadeExport(
                portfolio=portfolio,
                session_cookie=cascade.session_cookie,
                export_url=cascade.export_url,
            ),
        )
    if audit.is_configured:
        key = audit.rest_key() if audit.db_url is None else None
        yield (
            settings.environment,
            AuditStore(
                url=audit.url if key else None,
                service_role=None if key is None else SecretStr(key),
                db_url=audit.db_url,
                ca_file=None if audit.ca_file is None else str(audit.ca_file),
            ),
        )
    if slack.bot_token is not None:
        yield TOKEN_BLOCK, SlackCredentials(token=slack.bot_token)
    for route in ROUTES:
        has_own = slack.own_webhook(route) is not None
        url = slack.webhook(route) if has_own or slack.bot_token is None else None
        if url is not None:
            yield webhook_block(route), SlackWebhook(url=SecretStr(url))
