"""`tapewatch compliance` writes a page and its JSON, and says where."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from settings.who import user_name

ZONE = ZoneInfo("America/El_Salvador")


def test_the_month_of_the_run_is_written_twice_and_told(full_home, tapewatch):
    (manifest,) = (full_home / "data" / "runs").glob("*/manifest.json")
    sealed_at = datetime.fromisoformat(json.loads(manifest.read_bytes())["created_at"])
    month = f"{sealed_at.astimezone(ZONE):%Y-%m}"

    done = tapewatch("compliance", "--month", month)

    folder = full_home / "data" / "compliance" / "development-default"
    assert done.code == 0, done.err
    assert done.out.startswith(f"default in {month}\n")
    assert sorted(path.name for path in folder.iterdir()) == [f"{month}.html", f"{month}.json"]
    told = json.loads(tapewatch("compliance", "--month", month, "--json").out)
    kept = json.loads((folder / f"{month}.json").read_bytes())
    assert told["runs"] == kept["runs"] != []
    assert told["page"] == str(folder / f"{month}.html")


def test_a_month_that_is_none_is_wrong_usage(home, tapewatch):
    later = f"{datetime.now(UTC) + timedelta(days=40):%Y-%m}"

    for month in ("2025-13", later):
        done = tapewatch("compliance", "--month", month)

        assert done.code == 64
        assert done.err.startswith("TAPEWATCH-NO_SUCH_MONTH: ")


def test_what_was_deployed_is_told_with_who_did_it(full_home, tapewatch):
    assert tapewatch("snapshot").code == 0
    (kept,) = (full_home / ".rollback").glob("*.json")
    snapshot = json.loads(kept.read_bytes())
    taken_at = datetime.fromisoformat(snapshot["taken_at"])

    done = tapewatch("compliance", "--month", f"{taken_at.astimezone(ZONE):%Y-%m}", "--json")

    told = [one for one in json.loads(done.out)["access"] if one["what"] == "deployed"]
    assert [(one["by"], one["why"]) for one in told] == [(user_name(), f"kept as {kept.name}")]
    assert told[0]["about"].startswith(f"{snapshot['code']}, lock ")
