"""What a failed attempt says: told from its record, since nothing of it is sealed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID, uuid5

from pydantic import AwareDatetime, JsonValue, TypeAdapter, ValidationError

from settings.alerting import Route
from warehouse.attempt_state import AttemptRecord
from warehouse.attempts import PHASES
from warehouse.messages import Kind, Message, message_id

# What an auditor asks about; the rule ComplianceViolation has the same.
COMPLIANCE_CODES = frozenset(
    {
        "QUALITY_GATE",
        "TOO_MANY_BAD_ROWS",
        "VOLUME_ANOMALY",
        "UNIT_CHANGE",
        "HASH_MISMATCH",
        "RUN_CONFLICT",
    }
)
# What was sealed is not what lies there: no good run after it puts that right.
DAMAGE_CODES = frozenset({"HASH_MISMATCH", "RUN_CONFLICT"})
_FAILED = ("failed", "abandoned")  # who cancels a run knows of it
_ATTEMPTS = UUID("b0f1c5f3-6a19-4a57-8c6e-5d1f4e6a9b21")
_MOMENT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def attempt_messages(
    attempt: AttemptRecord, served: str | None
) -> Iterator[tuple[datetime, Message]]:
    """Yield what an attempt that failed says, with when it failed; nothing of any other.

    Args:
        attempt: One of any status.
        served: The run that its book serves, None where there is none.
    """
    error = attempt.error
    if attempt.status not in _FAILED or error is None:
        return
    try:
        at = _MOMENT.validate_python(attempt.ended_at or attempt.started_at)
    except ValidationError:  # a hand has damaged the record
        return
    facts: dict[str, JsonValue] = {
        "environment": attempt.environment,
        "attempt": attempt.attempt_id,
        "as_of": attempt.as_of,
        "log_folder": attempt.log_folder,
        "status": attempt.status,
        "phase": _last_phase(attempt),
        "code": error.code,
        "message": error.message,
        "fix": error.fix,
        "served": served,
    }
    yield at, _message(attempt, "pipeline_failure", "pipeline_failures", error.code, facts)
    if error.code in COMPLIANCE_CODES:
        yield at, _message(attempt, "compliance_alert", "compliance_updates", error.code, facts)


def healed_message(told: Sequence[Message], run: str) -> Message:
    """Return one message for failures of a portfolio, oldest first, that `run` has followed."""
    last = told[-1]
    source = str(uuid5(_ATTEMPTS, f"{run}/{'/'.join(message.id for message in told)}"))
    codes = dict(Counter(message.subject for message in told))
    return replace(
        last,
        id=message_id(source, "pipeline_failure", "healed", last.route),
        severity="warning",
        subject="healed",
        facts={**last.facts, "codes": cast("JsonValue", codes), "healed_by": run},
    )


def _last_phase(attempt: AttemptRecord) -> str | None:
    entered = [phase for phase in PHASES if phase in attempt.phase_seconds]
    return entered[-1] if entered else None


def _message(
    attempt: AttemptRecord, kind: Kind, route: Route, code: str, facts: dict[str, JsonValue]
) -> Message:
    source = str(uuid5(_ATTEMPTS, attempt.attempt_id))
    return Message(
        id=message_id(source, kind, code, route),
        kind=kind,
        route=route,
        severity="critical",
        portfolio=attempt.portfolio,
        subject=code,
        facts=facts,
    )
