"""Keep what a benchmark measured, and hold it to what it measured the last time."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import cast

from settings.errors import DataRejectedError
from warehouse.durable import durable_write, make_folder
from warehouse.json_text import line_json
from warehouse.storage_errors import typed_storage

FACTOR = 2.0  # how many times slower than the last time is no noise of the machine


class SlowerError(DataRejectedError):
    """The data path takes far longer than the last time."""

    code = "SLOWER"


def keep_and_compare(
    path: Path, question: Mapping[str, str | int], seconds: float, now: datetime
) -> str:
    """Add a measurement to the file, and return how it compares with the last of its kind.

    Args:
        path: One line a measurement.
        question: What was measured: size, threads, memory. Only the same is compared.
        seconds: How long it took, the median.
        now: When.

    Raises:
        SlowerError: It took more than twice as long as the last time; it is kept all the same.
        StorageError: The disk refused.
    """
    make_folder(path.parent)
    with typed_storage(path):
        before = path.read_bytes() if path.is_file() else b""
    told = {**question, "seconds": round(seconds, 3), "at": now.isoformat(timespec="seconds")}
    durable_write(path, before + line_json(told))
    last = _last(before, question)
    if last is None:
        return f"{seconds:.2f} s; nothing of its kind was kept before"
    was = cast("float", last["seconds"])
    line = f"{seconds:.2f} s; {was:.2f} s on {str(last['at'])[:10]}, {seconds / was - 1:+.0%}"
    if seconds > FACTOR * was:
        raise SlowerError(line, fix="measure again on a quiet machine, then see `make stress`")
    return line


def _last(text: bytes, question: Mapping[str, str | int]) -> dict[str, object] | None:
    lines = [cast("dict[str, object]", json.loads(line)) for line in text.splitlines()]
    same = [one for one in lines if {**one, **question} == one]
    return same[-1] if same else None
