"""Ask Prefect's server over its own API, and let the runs that are at work end in order."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from settings.connections import PrefectSettings
from settings.errors import ConfigError, SourceUnavailableError

POOL = "tapewatch"
_SECONDS = 30
_LOOKS_EVERY_SECONDS = 0.5
_AT_WORK = ("RUNNING", "PENDING", "CANCELLING")


class PrefectSilentError(SourceUnavailableError):
    """Prefect's server does not answer, or not as one."""

    code = "PREFECT_SILENT"


class PrefectPasswordError(ConfigError):
    """Prefect's server asks for another password."""

    code = "PREFECT_PASSWORD"


class PrefectApi:
    """Prefect's server at `url`, which ends in /api."""

    def __init__(self, url: str, prefect: PrefectSettings, key: str | None = None) -> None:
        """Know the way; nothing is asked yet. `key` is that of Prefect Cloud."""
        auth = None
        if prefect.auth_string is not None:
            user, _, password = prefect.auth_string.get_secret_value().partition(":")
            auth = httpx.BasicAuth(user, password)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(
            base_url=url, auth=auth, headers=headers, timeout=_SECONDS, trust_env=False
        )
        self.url = url

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the answer, None where there is nothing of that name.

        Raises:
            PrefectPasswordError: It asks for another password.
            PrefectSilentError: It did not answer, or refused.
        """
        fix = "see whether it runs, and its log"
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            told = f"Prefect's server at {self.url} does not answer: {type(error).__name__}"
            raise PrefectSilentError(told, fix=fix) from None
        if answer.status_code in (401, 403):
            raise PrefectPasswordError(
                "Prefect's server asks for a password",
                fix="export TAPEWATCH_PREFECT__AUTH_STRING=user:password",
            )
        if answer.status_code == 404:
            return None
        if answer.is_error:
            told = f"Prefect's server answers {answer.status_code} to {method} {path}"
            raise PrefectSilentError(told, fix=fix)
        return answer.json() if answer.content else {}

    def runs_at_work(self) -> Sequence[Mapping[str, Any]]:
        """Return the flow runs of our pool that a worker has taken and that have not ended.

        What others run with this server, by hand or through a pool of theirs, is not ours to end.

        Raises:
            PrefectSilentError: The server does not answer.
        """
        wanted = {
            "flow_runs": {"state": {"type": {"any_": [*_AT_WORK]}}},
            "work_pools": {"name": {"any_": [POOL]}},
        }
        return self.ask("POST", "/flow_runs/filter", wanted)

    def crash_left_over(self) -> int:
        """Call each run of our pool crashed, before a worker has begun; return how many there were.

        Raises:
            PrefectSilentError: The server does not answer.
        """
        left = self.runs_at_work()
        told = "its worker ended before it"
        for run in left:
            crashed = {"state": {"type": "CRASHED", "message": told}, "force": True}
            self.ask("POST", f"/flow_runs/{run['id']}/set_state", crashed)
        return len(left)

    def cancel_runs(self, within_seconds: float) -> int:
        """Cancel every run of our pool and wait until they have ended; return how many have not.

        Prefect's worker passes the wish on: the run ends its attempt as canceled, which is no
        failure. What is killed with the worker instead would be found as abandoned.

        Raises:
            PrefectSilentError: The server does not answer.
        """
        until = time.monotonic() + within_seconds
        while (left := self.runs_at_work()) and time.monotonic() < until:
            for run in left:
                if run["state_type"] != "CANCELLING":
                    wish = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
                    self.ask("POST", f"/flow_runs/{run['id']}/set_state", wish)
            time.sleep(_LOOKS_EVERY_SECONDS)
        return len(left)
