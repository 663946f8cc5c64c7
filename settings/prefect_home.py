"""What Prefect must be told before it is imported, so that it stays on this machine."""

from collections.abc import Mapping

from settings.model import Paths


def prefect_environment(paths: Paths) -> Mapping[str, str]:
    """Return the variables of an ephemeral server that is private, patient and offline."""
    return {
        "PREFECT_HOME": str(paths.root_dir / ".prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # 73 s seen on a busy machine
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # never pickle
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
