"""`tapewatch compliance` writes a page and its JSON, and says where."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

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
