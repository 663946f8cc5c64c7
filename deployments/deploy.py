"""`make deploy`: register the work pool and every deployment with a running Prefect server."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from deployments.automations import register_automations
from deployments.prefect_api import POOL, PrefectApi
from deployments.snapshot import take_snapshot
from settings.errors import ConfigError, TapewatchError
from settings.load import load_settings
from settings.prefect_home import auth_environment, client_environment

HOME = Path(__file__).parents[1]
_PREFECT_FILE = "deployments/prefect.yaml"


class DeployError(ConfigError):
    """Prefect did not take it."""

    code = "DEPLOY"


def main() -> int:
    """Deploy, and return the exit code."""
    try:
        deploy(os.environ)
    except TapewatchError as error:
        sys.stderr.write(f"{error.line()}\n")
        return error.exit_code
    return 0


def deploy(environment: Mapping[str, str]) -> None:
    """Create the pool if it is not there, and register what prefect.yaml lists; again is the same.

    Args:
        environment: Names the server in PREFECT_API_URL.

    Raises:
        DeployError: There is no server, or it refused.
        ConfigError: A setting is wrong.
        PrefectSilentError: The server refused an automation, or answers no more.
        StorageError: The snapshot could not be written.
    """
    if not environment.get("PREFECT_API_URL"):
        raise DeployError(
            "PREFECT_API_URL is not set, so there is no server to deploy to",
            fix="export PREFECT_API_URL=http://127.0.0.1:4200/api, or `make serve` for all in one",
        )
    settings = load_settings()
    told = {
        **environment,
        **client_environment(settings.paths),
        **auth_environment(settings.prefect),
        "TAPEWATCH_HOME": str(HOME),
        "TAPEWATCH_ZONE": settings.portfolio.time_zone,
    }
    if _prefect(told, "work-pool", "inspect", POOL).returncode != 0:
        _must(_prefect(told, "work-pool", "create", POOL, "--type", "process"))
    _must(_prefect(told, "--no-prompt", "deploy", "--all", "--prefect-file", _PREFECT_FILE))
    key = environment.get("PREFECT_API_KEY")  # of Prefect Cloud
    register_automations(PrefectApi(environment["PREFECT_API_URL"], settings.prefect, key))
    _, snapshot = take_snapshot(settings, datetime.now(UTC))
    sys.stdout.write(f"what runs now is written down in {snapshot}\n")
    sys.stdout.write(f"deployed to {environment['PREFECT_API_URL']}, work pool {POOL}\n")


def _prefect(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - Prefect's own command line, in our environment
        [sys.executable, "-m", "prefect", *arguments],
        cwd=HOME,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )


def _must(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        if any("401 Unauthorized" in line for line in said):
            raise DeployError(
                "Prefect's server asks for a password",
                fix="export TAPEWATCH_PREFECT__AUTH_STRING=user:password",
            )
        last = said[-1].strip() if said else "it said nothing"
        raise DeployError(f"Prefect refused: {last}", fix="see whether PREFECT_API_URL is right")


if __name__ == "__main__":
    sys.exit(main())
