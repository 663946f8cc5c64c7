"""Do the steps of a maintenance, each in a process of its own, and keep how each went."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Literal

from settings.connections import AuditSettings
from settings.errors import DataRejectedError
from settings.model import Settings, variables
from settings.who import user_name
from tasks.maintenance_steps import HOME, Kind, Step, steps_of
from warehouse.attempt_folder import utc_text
from warehouse.durable import create_private, durable_write, make_folder
from warehouse.json_text import pretty_json
from warehouse.layout import Layout
from warehouse.lock import wait_for_lock

Outcome = Literal["ok", "failed", "not run", "by hand"]
_TOLD_CHARACTERS = 300
_ERROR = "TAPEWATCH-"
_ROOT = "TAPEWATCH_DATA_DIR"
_AGAIN = os.O_TRUNC
_GRACE_SECONDS = 10  # for a step that is ended to tidy up


class MaintenanceFailedError(DataRejectedError):
    """A step of a maintenance failed; the others were done all the same."""

    code = "MAINTENANCE_FAILED"


@dataclass(frozen=True)
class StepDone:
    """How a step ended; `said` is its last word, `log` where the rest of it is."""

    step: Step
    outcome: Outcome
    said: str
    seconds: float = 0
    log: Path | None = None


RunStep = Callable[[Step, Callable[[], StepDone]], StepDone]


def maintain(
    kind: Kind, settings: Settings, now: datetime, run: RunStep, more: Mapping[str, str]
) -> tuple[StepDone, ...]:
    """Do every step, whatever became of those before, and keep how it went.

    Args:
        kind: Which maintenance.
        settings: Of the process.
        now: When it begins.
        run: Runs one step, with whatever reporting the caller wants around it.
        more: Variables that the commands need beside those of this process.

    Raises:
        LockHeldError: Another maintenance was at work for longer than this one may wait.
        MaintenanceFailedError: A step failed; the message names all that did.
        StorageError: The disk refused.
    """
    layout = Layout.of(settings)
    name = f"{now:%Y%m%dT%H%M%SZ}_{kind}"
    with wait_for_lock(
        make_folder(layout.maintenance) / "lock", kind, now, settings.maintenance.lock_minutes * 60
    ):
        logs = make_folder(layout.maintenance_logs / f"{layout.log_prefix}{name}")
        code = os.pathsep.join(filter(None, (str(HOME), os.environ.get("PYTHONPATH"))))
        own = {_ROOT: str(settings.root_dir), "PYTHONPATH": code}
        environment = {**os.environ, **more, **own}
        seconds = settings.maintenance.step_minutes * 60
        done = tuple(
            run(step, lambda step=step: run_step(step, logs, environment, seconds))
            for step in steps_of(kind, settings, now)
        )
        told = {
            "kind": kind,
            "by": user_name(),
            "at": utc_text(now),
            "steps": [_document(one) for one in done],
        }
        durable_write(layout.maintenance / f"{name}.json", pretty_json(told))
    failed = [one for one in done if one.outcome == "failed"]
    if failed:
        names = ", ".join(one.step.name for one in failed)
        raise MaintenanceFailedError(
            f"{kind} maintenance: {len(failed)} of {len(done)} steps failed: {names}; "
            f"{failed[0].step.name} says {failed[0].said}",
            fix=f"see {logs}, mend it, then type the command of that step again",
            evidence={one.step.name: one.said for one in failed},
        )
    return done


def run_step(step: Step, logs: Path, environment: Mapping[str, str], seconds: float) -> StepDone:
    """Run the command of a step to its end, and return how it ended; never raises for its sake.

    Raises:
        StorageError: The disk refused its log.
    """
    if not step.command:
        return StepDone(step, "by hand", step.told)
    if step.not_run is not None:
        return StepDone(step, "not run", step.not_run)
    stem = step.name.replace(" ", "-")
    out, err = logs / f"{stem}.out", logs / f"{stem}.err"
    started = perf_counter()
    try:
        code = _run(step, out, err, environment, seconds)
    except OSError as error:  # of the command, such as make: its logs have errors of their own
        code, found = None, f"{step.command[0]} cannot be run: {error.strerror}"
    else:
        found = f"not done in {seconds / 60:,.0f} minutes"
    took = round(perf_counter() - started, 1)
    if code is None:
        return StepDone(step, "failed", found, took, err)
    said = _word(out, err) if code else _word(out)
    is_nothing = any(f"{_ERROR}{known}:" in said for known in step.not_run_codes)
    outcome: Outcome = "ok" if code == 0 else "not run" if is_nothing else "failed"
    return StepDone(step, outcome, said, took, err if code else out)


def _run(
    step: Step, out: Path, err: Path, environment: Mapping[str, str], seconds: float
) -> int | None:
    first, *rest = step.command
    ours = {"tapewatch": [sys.executable, "-m", "deployments.cli"], "python": [sys.executable]}
    with (
        os.fdopen(create_private(out, _AGAIN), "wb") as told,
        os.fdopen(create_private(err, _AGAIN), "wb") as bad,
    ):
        child = subprocess.Popen(  # noqa: S603 - a command of this very file
            [*ours.get(first, [first]), *rest],
            cwd=HOME if first == "make" else environment[_ROOT],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=bad,
            start_new_session=True,  # what make has begun ends with it
        )
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if child.returncode is None:
                _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask the processes of a step to end, and see to it that they do."""
    os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _word(*logs: Path) -> str:
    """Return the last error of ours in these logs, else the first word of an error, else the end.

    What make adds when a command of it failed says nothing.
    """
    texts = [log.read_text(encoding="utf-8", errors="replace").splitlines() for log in logs]
    lines = [" ".join(line.split()) for text in texts for line in text]
    lines = [line for line in lines if line and not line.startswith("make: ")]
    ours = [line for line in lines if line.startswith(_ERROR)]
    errors = [line for line in lines if line.startswith("ERROR")][:1] if len(logs) > 1 else []
    return (ours or errors or lines or ["it said nothing"])[-1][:_TOLD_CHARACTERS]


def _document(done: StepDone) -> dict[str, object]:
    return {
        "step": done.step.name,
        "command": done.step.typed,
        "outcome": done.outcome,
        "said": done.said,
        "seconds": done.seconds,
    }


def audit_variables(audit: AuditSettings) -> dict[str, str]:
    """Return the variables that lead a command to this audit store, wherever it was saved."""
    return {
        variable: _text(getattr(audit, path[1]))
        for variable, path in variables().items()
        if path[0] == "audit"
    }


def _text(value: object) -> str:
    reveal = getattr(value, "get_secret_value", None)
    return "" if value is None else str(reveal() if reveal is not None else value)
