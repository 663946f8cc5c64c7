"""The report of a comparison in Markdown: what differs first, everything after it."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from warehouse.durable import durable_write, make_folder
from warehouse.layout import Layout
from warehouse.shadow import Comparison, Line
from warehouse.shadow_day import ShadowDay

_HEAD = ("| | what | reference | shadow | |", "|---|---|---:|---:|---|")


def comparison_page(comparison: Comparison) -> str:
    """Return one comparison as a page."""
    reference, shadow = comparison.reference, comparison.shadow
    codes = f"`{reference.run.manifest.code}` beside `{shadow.run.manifest.code}`"
    lines = [
        f"# {shadow.name} beside {reference.name}: {comparison.verdict}",
        f"Code {codes}.",
        *_beyond(comparison),
        "## Everything",
        "\n".join([*_HEAD, *_rows(comparison.lines)]),
    ]
    return "\n\n".join(lines) + "\n"


def day_page(day: ShadowDay) -> str:
    """Return the shadow runs of a day as a page."""
    said = "ready for the cutover" if day.is_ready else "not ready for the cutover"
    lines = [
        f"# Shadow runs of the last {day.hours} hours: {said}",
        f"{len(day.comparisons)} compared, {len(day.failed)} failed, "
        f"{day.covered_hours:.1f} hours covered.",
        "\n".join(f"- {reason}" for reason in day.reasons),
    ]
    for comparison in day.comparisons:
        title = f"## {comparison.shadow.name} beside {comparison.reference.name}"
        lines += [f"{title}: {comparison.verdict}", *_beyond(comparison)]
    return "\n\n".join(filter(None, lines)) + "\n"


def keep_page(layout: Layout, page: str, now: datetime) -> Path:
    """Write a page under logs/shadow and return its path.

    Raises:
        StorageError: The disk refused.
    """
    path = make_folder(layout.logs / "shadow") / f"{now:%Y%m%dT%H%M%S.%fZ}.md"
    durable_write(path, page.encode())
    return path


def _beyond(comparison: Comparison) -> Iterator[str]:
    if comparison.beyond:
        yield "\n".join([*_HEAD, *_rows(comparison.beyond)])
    else:
        yield f"All {len(comparison.lines)} lines are within their tolerance."


def _rows(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        mark = "" if line.is_within else "**beyond**"
        yield f"| {line.part} | {line.what} | {line.reference} | {line.shadow} | {mark} |"
