"""Show something on the flow run's page, where a server that refuses it stops nothing."""

from collections.abc import Generator
from contextlib import contextmanager

from prefect import get_run_logger


def artifact_key(what: str, portfolio: str) -> str:
    """Return the key of an artifact: Prefect keeps one history a key, and each book has its own.

    A key has no underscore, so that is written -u, and a hyphen as two: no two books share a key.
    """
    return f"{what}-{portfolio.replace('-', '--').replace('_', '-u')}"


@contextmanager
def showing(what: str) -> Generator[None, None, None]:
    """Go on when what is done inside fails, with a warning that names it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a page that is not drawn undoes no work
        get_run_logger().warning("%s could not be shown: %s", what, type(error).__name__)
