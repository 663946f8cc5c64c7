"""What Prefect must be told before it is imported, so that it stays private and patient."""

import base64
import os
from collections.abc import Mapping

from settings.connections import PrefectSettings
from settings.model import Paths
from settings.pii_key import development_key

_KEY = "PREFECT_SERVER_ENCRYPTION_KEY"  # Prefect's own name; it is no setting of ours
_DAY_SECONDS = 86_400


def client_environment(paths: Paths) -> Mapping[str, str]:
    """Return the variables of every process of Prefect: worker, flow run or command line."""
    return {
        "PREFECT_HOME": str(paths.prefect_home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",  # never pickle
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "60",  # seconds; the automation of dead runs listens
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }


def prefect_environment(paths: Paths) -> Mapping[str, str]:
    """Return the variables of a process with an ephemeral server of its own."""
    return {
        **client_environment(paths),
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",  # 73 s seen on a busy machine
    }


def server_environment(paths: Paths, prefect: PrefectSettings) -> Mapping[str, str]:
    """Return the variables of a server that lasts: old runs go, and whoever asks must sign in.

    The key that encrypts the secrets of saved blocks is the environment's, or else that of a file
    which is made where there is none.

    Raises:
        PiiKeyFileError: The file of the key cannot be used.
    """
    auth = auth_environment(prefect)
    return {
        **client_environment(paths),
        **auth,
        **({"PREFECT_SERVER_API_AUTH_STRING": auth["PREFECT_API_AUTH_STRING"]} if auth else {}),
        _KEY: os.environ.get(_KEY) or _kept_key(paths),
        "PREFECT_SERVER_METRICS_ENABLED": "true",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(prefect.kept_days * _DAY_SECONDS),
    }


def _kept_key(paths: Paths) -> str:
    """Return the key of the secrets in saved blocks: Prefect would keep it beside them."""
    kept = development_key(paths.prefect_home / "encryption.key", _KEY)
    return base64.urlsafe_b64encode(bytes.fromhex(kept)).decode()


def auth_environment(prefect: PrefectSettings) -> Mapping[str, str]:
    """Return what a client must show to a server that asks who it is."""
    if prefect.auth_string is None:
        return {}
    return {"PREFECT_API_AUTH_STRING": prefect.auth_string.get_secret_value()}
