"""Save the blocks: a process of its own, because the command line starts without Prefect."""

import logging
import sys

from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from blocks.register import register_blocks
from deployments.edge import report
from settings.errors import AuthError, ConfigError, SourceUnavailableError
from settings.load import load_settings


class NoPrefectServerError(ConfigError):
    """No Prefect server is named."""

    code = "PREFECT_NOT_SET"


class PrefectUnreachableError(SourceUnavailableError):
    """The Prefect server does not answer."""

    code = "PREFECT_UNREACHABLE"


class PrefectRefusedError(AuthError):
    """The Prefect server does not let this process save a block."""

    code = "PREFECT_REFUSED"


def register() -> None:
    """Save what the environment sets and print the name of each block.

    Raises:
        ConfigError: No server is named, or a setting is wrong.
        PrefectRefusedError: The server wants other credentials.
        PrefectUnreachableError: The server does not answer.
    """
    settings = load_settings()
    url = PREFECT_API_URL.value()
    if not url:
        raise NoPrefectServerError(
            "no Prefect server is named: the blocks would be saved nowhere",
            fix="start one (`prefect server start`), then export PREFECT_API_URL=...",
        )
    try:
        saved = register_blocks(settings)
    except PrefectHTTPStatusError as error:
        raise PrefectRefusedError(
            f"the Prefect server answers {error.response.status_code}",
            fix="set PREFECT_API_AUTH_STRING, or see the server's log",
        ) from None
    except Exception as error:
        if _is_of_the_way(error):
            raise PrefectUnreachableError(
                "the Prefect server does not answer", fix="start it, or correct PREFECT_API_URL"
            ) from None
        raise
    for name in saved:
        sys.stdout.write(f"saved {name}\n")
    if not saved:
        sys.stdout.write(
            "nothing to save: no variable of Cascade, the audit store or Slack is set\n"
        )


def _is_of_the_way(error: BaseException) -> bool:
    """Return whether an error says that the server could not be reached."""
    import httpx

    told = (httpx.TransportError, RuntimeError, OSError)  # RuntimeError: Prefect's own word for it
    return isinstance(error, told)


def main() -> int:
    """Register; every error is one line."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    try:
        register()
    except Exception as error:  # noqa: BLE001 - the edge of the process
        return report(error, is_debug=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
