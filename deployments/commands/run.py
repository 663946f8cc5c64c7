"""`tapewatch run`: one tape from its bytes to a served run, without any server."""

from dataclasses import asdict
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import JsonValue
from rich.console import Console

from blocks.clients.traces import start_traces
from deployments.bare_table import bare_table
from deployments.documents import print_json, run_document
from deployments.drawing import draw_if_linked
from deployments.edge import AttemptFailed
from deployments.phases import PlainPhases
from deployments.render import open_console, print_outcome
from settings.errors import UsageError
from settings.load import load_settings
from settings.model import Settings
from settings.version import code_version
from settings.who import user_name
from warehouse.delivery import Deliver, facts_by_receiver
from warehouse.freshness import freshness_hours
from warehouse.job import AcceptedAnomaly, Fetch, RunOutcome, RunRequest
from warehouse.layout import Layout
from warehouse.profile import Cost, Profile
from warehouse.run import Start, run_daily
from warehouse.run_folder import read_current


def accepted_anomaly(run: str | None, reason: str | None) -> AcceptedAnomaly | None:
    """Return the operator's word that an unusual tape is right.

    Raises:
        UsageError: A run without a reason, or a reason without a run.
    """
    if run is None and reason is None:
        return None
    if not run or not reason:
        raise UsageError(
            "--accept-anomaly and --reason go together",
            fix='name the run and say why: --accept-anomaly RUN --reason "TEXT"',
        )
    return AcceptedAnomaly(run, reason, user_name())


def run_tape(
    request: RunRequest, portfolio: str | None, *, is_profiled: bool, is_json: bool
) -> None:
    """Run the four phases and show how they ended.

    Raises:
        AttemptFailed: From whatever stopped the attempt.
    """
    settings = load_settings(portfolio=portfolio)
    start_traces()
    start = Start(uuid4().hex, datetime.now(UTC), code_version())
    profile = Profile() if is_profiled else None
    phases = PlainPhases(settings.phases, open_console(stderr=True), profile)
    feed, delivery = _feed(request, settings), _delivery(settings)
    try:
        outcome = run_daily(request, settings, start, phases, feed, delivery)
    except BaseException as error:
        raise AttemptFailed(_known_attempt(settings, start.attempt_id)) from error
    draw_if_linked(outcome.sealed, outcome.log_folder, settings)
    if is_json:
        print_json(_document(outcome, settings, phases.seconds, profile))
        return
    console = open_console()
    print_outcome(console, outcome, settings)
    if profile is not None:
        print_profile(console, profile)


def _feed(request: RunRequest, settings: Settings) -> Fetch | None:
    if request.inputs:
        return None
    from blocks.clients.feed import open_feed  # httpx: not for a run on a named file

    return open_feed(settings, settings.cascade)


def _delivery(settings: Settings) -> Deliver | None:
    audit, slack = settings.audit, settings.integrations.slack
    has_store = audit.db_url is not None or audit.url is not None or audit.has_key
    if not has_store and not slack.is_configured:
        return None
    from blocks.clients.receivers import open_delivery  # psycopg or httpx: not for a run alone

    return open_delivery(settings, lambda: audit, lambda: slack)


def _known_attempt(settings: Settings, attempt_id: str) -> str | None:
    """Return the id when the attempt began: one that found the lock held left no trace."""
    state = Layout.of(settings).attempts / f"{attempt_id}.json"
    return attempt_id if state.is_file() else None


def _document(
    outcome: RunOutcome, settings: Settings, seconds: dict[str, float], profile: Profile | None
) -> dict[str, JsonValue]:
    served = read_current(Layout.of(settings))
    run = outcome.sealed
    zone = settings.portfolio.time_zone
    hours = freshness_hours(run.manifest.identity.as_of, zone, datetime.now(UTC))
    return {
        "outcome": outcome.outcome,
        "attempt_id": outcome.attempt_id,
        "run_folder": str(run.folder),
        "log_folder": str(outcome.log_folder),
        "phases": {name: round(taken, 3) for name, taken in seconds.items()},
        "deliveries": facts_by_receiver(outcome.delivered),
        "freshness_hours": round(hours, 3),
        **run_document(run, outcome.previous, served and served.name),
        "profile": profile and [asdict(cost) for cost in _costs(profile)],
    }


def _costs(profile: Profile) -> list[Cost]:
    files = sorted(profile.files.values(), key=lambda cost: -cost.seconds)
    return [
        cost
        for phase in profile.phases.values()
        for cost in (phase, *(file for file in files if file.phase == phase.phase))
    ]


def print_profile(console: Console, profile: Profile, phase: str | None = None) -> None:
    """Show what each phase and SQL file cost; of one phase only when it is named."""
    table = bare_table()
    table.add_column("phase, SQL file")
    for name in ("seconds", "calls", "peak MB"):
        table.add_column(name, justify="right")
    for cost in _costs(profile):
        if phase not in (None, cost.phase):
            continue
        is_phase = cost.name == cost.phase
        peak = "" if cost.peak_mb is None else f"{cost.peak_mb:,.0f}"
        label, style = (cost.name, "bold") if is_phase else (f"  {cost.name}", "")
        table.add_row(label, f"{cost.seconds:.3f}", f"{cost.calls:,}", peak, style=style)
    console.print()
    console.print(table)
