"""The log folder of one attempt, for people: summary, validation report, log lines, errors."""

from __future__ import annotations

import os
import secrets
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from settings.errors import InternalError, TapewatchError, error_line
from warehouse.durable import create_private, make_folder, replace_file, write_all
from warehouse.json_text import JsonObject, line_json, pretty_json
from warehouse.layout import Layout, log_prefix
from warehouse.storage_errors import typed_refusal, typed_storage

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

SUMMARY = "pipeline_summary.json"
_ERROR_LINE = '"level": "error"'
VALIDATION_REPORT = "validation_report.json"
REPORT = "report.html"


@dataclass(frozen=True)
class ErrorFacts:
    """What the summary says of a failure; never the text of an error that is not ours."""

    code: str
    message: str
    fix: str
    exit_code: int

    @property
    def is_canceled(self) -> bool:
        """Whether the run was told to stop rather than failed."""
        return self.code == "CANCELED"

    @property
    def told(self) -> str:
        """What happened, with its code."""
        return f"TAPEWATCH-{self.code}: {self.message}"

    def line(self, attempt_id: str | None = None) -> str:
        """Return the one line that people read, as an error of ours has it."""
        return error_line(self.code, self.message, self.fix, attempt_id)


def describe_error(error: BaseException) -> ErrorFacts:
    """Return what may be shown of `error`.

    Foreign errors quote cells of the tape, so only their type and place are told.
    """
    error = typed_refusal(error)
    if isinstance(error, TapewatchError):
        return ErrorFacts(error.code, error.message, error.fix, error.exit_code)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    told = f"{type(error).__name__}{place}"
    if not isinstance(error, Exception):  # SystemExit, KeyboardInterrupt and their kind
        return ErrorFacts("CANCELED", f"stopped by {told}", "run the same command again", 143)
    return ErrorFacts("INTERNAL", told, "report this line: it is a mistake of Tapewatch", 70)


def utc_text(moment: datetime) -> str:
    """Return a moment as 2025-12-26T03:00:00.000Z.

    Raises:
        InternalError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise InternalError("a time without a zone", fix="pass an aware datetime")
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def folder_name(attempt_id: str, environment: str, now: datetime) -> str:
    """Return the name of an attempt's log folder; staging's carry the runbook's prefix."""
    prefix = log_prefix(environment)
    return f"{prefix}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}_{attempt_id}"


def make_attempt_folder(layout: Layout, name: str) -> None:
    """Make a log folder and let `latest` name it.

    Raises:
        StorageError: The disk refused.
    """
    make_folder(layout.log_runs / name)
    link = layout.latest.with_name(f"{layout.latest.name}.{secrets.token_hex(4)}.tmp")
    with typed_storage(layout.latest):
        link.symlink_to(name)
        link.replace(layout.latest)


def write_summary(folder: Path, summary: JsonObject) -> None:
    """Rewrite the summary on ONE line: the runbook's `grep "completed at" | jq .phases` needs it.

    Raises:
        StorageError: The disk refused; the old summary is untouched.
    """
    replace_file(folder / SUMMARY, line_json(summary))


def write_validation_report(folder: Path, report: JsonObject) -> None:
    """Rewrite the validation report.

    Raises:
        StorageError: The disk refused; the old report is untouched.
    """
    replace_file(folder / VALIDATION_REPORT, pretty_json(report))


def error_log(folder: Path, phase: str) -> Path:
    """Return where the failure of a phase is written."""
    return folder / f"{phase}_error.log"


def logged_errors(folder: Path) -> dict[str, int]:
    """Return how many errors each log of an attempt holds, where any; an error log is one.

    Raises:
        StorageError: A log cannot be read.
    """
    found: dict[str, int] = {}
    for path in sorted(folder.glob("*.log")):
        if path.name.endswith("_error.log"):
            found[path.name] = 1
            continue
        with typed_storage(path):
            lines = path.read_text(encoding="utf-8", errors="replace").count(_ERROR_LINE)
        if lines:
            found[path.name] = lines
    return found


def write_error_log(folder: Path, phase: str, error: BaseException, attempt_id: str) -> None:
    """Write the one line of a failure, its evidence, and the way to it through the code.

    Raises:
        StorageError: The disk refused.
    """
    facts = describe_error(error)
    evidence = error.evidence if isinstance(error, TapewatchError) else dict[str, object]()
    details = [f"{key}: {value}" for key, value in evidence.items()]
    while True:  # frames hold our code alone; the messages of causes may quote the tape
        details += ["", type(error).__name__, *_frames(error)]
        cause = error.__cause__ or error.__context__
        if cause is None:
            break
        error = cause
    text = "\n".join([facts.line(attempt_id), *details, ""])
    replace_file(error_log(folder, phase), text.encode())


def _frames(error: BaseException) -> list[str]:
    return [f.rstrip() for f in traceback.format_tb(error.__traceback__)]


class LogFile:
    """A log that grows by whole lines, each in one write."""

    def __init__(self, path: Path) -> None:
        """Name the file; the first line creates it."""
        self._path = path
        self._fd = -1

    def msg(self, line: str) -> None:
        """Append one line.

        Raises:
            StorageError: The disk refused.
        """
        with typed_storage(self._path, len(line)):
            if self._fd < 0:
                self._fd = create_private(self._path, flags=os.O_APPEND | os.O_EXCL)
            write_all(self._fd, line.encode() + b"\n")

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_logger(file: LogFile, stamp: Processor, **bound: str | None) -> FilteringBoundLogger:
    """Return a logger that writes JSON lines to `file`, each with `bound` and stamped."""
    import structlog  # half of what the reading commands would spend on imports

    logger = structlog.wrap_logger(
        file,
        processors=[
            structlog.processors.add_log_level,
            stamp,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=False,
    )
    return cast("FilteringBoundLogger", logger.bind(**bound))
