"""Register the automations of prefect.yaml: by name, so that doing it again changes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from deployments.prefect_api import PrefectApi

_FILE = Path(__file__).with_name("prefect.yaml")


def register_automations(server: PrefectApi) -> None:
    """Create each automation, or give the one of that name what the file says.

    Raises:
        PrefectPasswordError: The server asks for another password.
        PrefectSilentError: It did not answer, or refused.
    """
    for wanted in _wanted():
        named = {"automations": {"name": {"any_": [wanted["name"]]}}}
        found = cast("list[Mapping[str, Any]]", server.ask("POST", "/automations/filter", named))
        if found:
            server.ask("PUT", f"/automations/{found[0]['id']}", wanted)
        else:
            server.ask("POST", "/automations/", wanted)


def _wanted() -> list[dict[str, Any]]:
    file = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return cast("list[dict[str, Any]]", file["definitions"]["automations"])
