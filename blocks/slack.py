"""Slack's blocks of prefect-slack: one webhook a channel, or one bot token, saved for the flows.

They are used as they are. What they hold is put into the settings, so that a flow posts as the
command line does: with a deadline, the answer looked at, and nothing tried twice.
"""

from typing import TypeVar, cast

from prefect.blocks.core import Block
from prefect_slack import SlackCredentials, SlackWebhook  # pyright: ignore[reportMissingTypeStubs]
from pydantic import ValidationError

from settings.alerting import ROUTES, Route, SlackSettings
from settings.errors import ConfigError
from settings.model import Settings
from warehouse.message_box import channel_name

TOKEN_BLOCK = "slack"  # noqa: S105 - the name of a block
BlockT = TypeVar("BlockT", bound=Block)


class SlackBlockError(ConfigError):
    """A saved block cannot be used."""

    code = "SLACK_BLOCK"


def webhook_block(route: Route) -> str:
    """Return the name under which the webhook of a channel is saved: slack-risk-alerts."""
    return channel_name(route)


def load_slack_settings(settings: Settings) -> SlackSettings:
    """Return the settings with what the saved blocks say: each outranks its variable.

    Raises:
        SlackBlockError: A block cannot be used.
    """
    return load_slack(settings)[0]


def load_slack(settings: Settings) -> tuple[SlackSettings, tuple[str, ...]]:
    """Return the settings with what the saved blocks say, and the names of those blocks.

    Raises:
        SlackBlockError: A block cannot be used.
    """
    base = settings.integrations.slack
    hooks = {route: _load(SlackWebhook, webhook_block(route)) for route in ROUTES}
    urls = {route: block.url for route, block in hooks.items() if block is not None}
    credentials = _load(SlackCredentials, TOKEN_BLOCK)
    told = base.model_dump()
    told["webhooks"] |= urls
    if credentials is not None:
        told["bot_token"] = credentials.token
    try:
        used = (*urls, *(["bot_token"] if credentials is not None else []))
        return SlackSettings.model_validate(told), tuple(_block_name(name) for name in used)
    except ValidationError as error:
        fields = [str(problem["loc"][-1]) for problem in error.errors()]
    wrong = ", ".join(sorted(_block_name(name) for name in fields))
    raise SlackBlockError(f"the block {wrong} holds no URL or token of Slack", fix="save it again")


def _block_name(field: str) -> str:
    if field == "bot_token":
        return f"slack-credentials/{TOKEN_BLOCK}"
    return f"slack-incoming-webhook/{webhook_block(cast('Route', field))}"


def _load(kind: type[BlockT], name: str) -> BlockT | None:
    try:
        block = kind.load(name, _sync=True)  # pyright: ignore[reportCallIssue,reportUnknownVariableType,reportUnknownMemberType]
    except ValidationError:
        raise SlackBlockError(f"the block {name} has a wrong field", fix="save it again") from None
    except ValueError:  # Prefect's answer for a block that was never saved
        return None
    if not isinstance(block, kind):
        raise SlackBlockError(f"the block {name} is of another kind", fix="save it again")
    return block
