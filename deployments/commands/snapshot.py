"""`tapewatch snapshot`: write down what runs now, and tell how to come back to it."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.render import open_console, print_facts, short_path
from deployments.snapshot import SHOWN, Snapshot, list_snapshots, snapshot_folder, take_snapshot
from settings.model import Settings
from warehouse.attempt_folder import utc_text


def snapshot_now(settings: Settings, *, is_json: bool) -> None:
    """Take a snapshot and show it.

    Raises:
        StorageError: The disk refused.
    """
    taken, path = take_snapshot(settings, datetime.now(UTC))
    if is_json:
        print_json(_document(taken, path))
        return
    console = open_console()
    print_facts(
        console,
        {
            "snapshot": short_path(path),
            "code": taken.code,
            "lock": taken.lock_shown,
            "settings": taken.settings_shown,
            "serves": _served(taken),
            "come back": "; ".join(_ways_back(taken)) or "nothing is known to come back to",
        },
    )


def snapshots(settings: Settings, *, is_json: bool) -> None:
    """List the snapshots of this environment, newest first.

    Raises:
        StorageError: The folder cannot be read.
    """
    found, folder = list_snapshots(settings)[::-1], snapshot_folder(settings)
    if is_json:
        print_json({"snapshots": [_document(one, folder / one.name) for one in found]})
        return
    table = bare_table("taken at", "code", "lock", "settings", "served")
    for one in found:
        hashes = (one.lock_shown, one.settings_shown)
        table.add_row(f"{one.taken_at:%Y-%m-%d %H:%M:%SZ}", one.code, *hashes, _served(one))
    console = open_console()
    console.print(table if found else f"no snapshot of {settings.environment} in {folder}")


def _served(taken: Snapshot) -> str:
    return ", ".join(f"{book} {run}" for book, run in taken.current.items()) or "nothing yet"


def _ways_back(taken: Snapshot) -> list[str]:
    """Return the commands that bring back the code and each run."""
    ways = [] if taken.git_sha is None else [f"git checkout {taken.git_sha[:SHOWN]}", "make deploy"]
    prefix = f"{taken.environment}-"
    for book, run in taken.current.items():
        portfolio = book.removeprefix(prefix)
        ways.append(f"tapewatch rollback {run} --portfolio {portfolio} --reason TEXT")
    return ways


def _document(taken: Snapshot, path: Path) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"file": str(path), **asdict(taken)}
    told["taken_at"] = utc_text(taken.taken_at)
    told["come_back"] = [*_ways_back(taken)]
    return told
