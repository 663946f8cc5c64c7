"""The story of the demo: what happens each morning, what people see, which command shows it."""

from collections.abc import Callable
from dataclasses import dataclass

from deployments.commands.audit import verify_audit
from deployments.commands.changed import show_changes
from deployments.commands.deliver import deliver_pending
from deployments.commands.kpi import show_kpis
from deployments.commands.runs import list_all
from deployments.demo.stage import Stage
from deployments.documents import values_by_name
from deployments.observe.scene import Scene, brought, run_day
from settings.errors import InternalError
from settings.kpis import kpis_by_name
from settings.model import Settings
from warehouse.audit import AUDIT_STORE
from warehouse.freshness import judge_freshness
from warehouse.job import RunOutcome


class DemoStrayedError(InternalError):
    """Something did not go as the demo tells it."""

    code = "DEMO_STRAYED"


@dataclass(frozen=True)
class Shown:
    """A command as a person types it, and what it shows."""

    command: str
    show: Callable[[Settings], None]


@dataclass(frozen=True)
class Chapter:
    """One morning: what happens, how it ends in a few lines, and what shows more of it."""

    title: str
    days_ago: int
    export: int  # how many days ago it was the newest
    story: str
    play: Callable[[Stage, Scene], list[str]]
    shown: tuple[Shown, ...]
    needs_store: bool = False  # what it shows, not what happens


def _a_good_day(_stage: Stage, scene: Scene) -> list[str]:
    outcome = _run(scene, "published")
    statuses = {value.status for value in values_by_name(outcome.sealed).values()}
    _expect(statuses == {"ok"}, "the good day is not good")
    return [
        _published(outcome),
        "Every KPI is inside its lines, and nobody is called.",
    ]


def _a_late_tape(_stage: Stage, scene: Scene) -> list[str]:
    outcome = _run(scene, "no_new_data")
    old = judge_freshness(outcome.sealed.manifest.identity.as_of, scene.settings, scene.now)
    critical = scene.settings.operations.freshness_hours.critical
    _expect(old.status == "critical", "the late tape is fresh")
    return [
        "No new data: the bytes are those of the day before. Nothing is published twice.",
        f"The served day is {old.hours:.0f} h old, {old.status} (> {critical} h): a run that went "
        "well makes no data fresh.",
        "Slack has nothing new to tell. Prometheus calls on-call, as `tapewatch drill late-tape` "
        "shows.",
    ]


def _a_spike(_stage: Stage, scene: Scene) -> list[str]:
    outcome = _run(scene, "published")
    value = values_by_name(outcome.sealed)["par_90"]
    _expect(value.status == "critical", "PAR 90 is not critical")
    kpi = kpis_by_name()["par_90"]
    return [
        _published(outcome),
        f"PAR 90 is {kpi.format(value.value)}, {value.status} ({kpi.threshold_line()}).",
    ]


def _the_store_is_down(stage: Stage, scene: Scene) -> list[str]:
    if stage.store is not None:
        stage.store.go_down()
    outcome = _run(scene, "published")
    [store] = [d for d in outcome.delivered if d.receiver == AUDIT_STORE]
    _expect(bool(store.pending), "the store took a run while it was down")
    why = "" if store.error is None else f" ({store.error.code})"
    return [
        _published(outcome),
        f"Its audit rows wait: {store.pending} pending{why}. The run is served all the same.",
    ]


def _the_store_is_back(stage: Stage, _scene: Scene) -> list[str]:
    if stage.store is None:
        return [
            f"Not shown: {stage.no_store}.",
            "With a store, `tapewatch deliver` would send now what waits, oldest first.",
        ]
    stage.store.come_up()
    return ["What waited is sent, once; then the store is held to every sealed run."]


def _run(scene: Scene, expected: str) -> RunOutcome:
    outcome = run_day(scene, scene.today, brought(scene.tape, "cascade"))
    _expect(outcome.outcome == expected, f"the run ended as {outcome.outcome}")
    return outcome


def _published(outcome: RunOutcome) -> str:
    manifest = outcome.sealed.manifest
    loans, kpis = manifest.files["loan.parquet"].rows, len(values_by_name(outcome.sealed))
    return f"Published run {outcome.sealed.name}: {loans:,} loans, {kpis} KPIs."


def _deliver(settings: Settings) -> None:
    deliver_pending(settings, is_again=False, is_refused_too=False, is_json=False)


def _expect(is_so: bool, told: str) -> None:
    if not is_so:
        raise DemoStrayedError(told, fix="report this line")


STORY: tuple[Chapter, ...] = (
    Chapter(
        "A good day",
        3,
        3,
        "At three in the morning the export is checked, reconciled and sealed, and Slack is told.",
        _a_good_day,
        (Shown("tapewatch kpi", lambda s: show_kpis(s, None, is_json=False)),),
    ),
    Chapter(
        "A late tape",
        2,
        3,
        "The next morning Cascade gives the same export again.",
        _a_late_tape,
        (Shown("tapewatch runs", lambda s: list_all(s, is_json=False)),),
    ),
    Chapter(
        "PAR 90 jumps",
        1,
        1,
        "The tape is there again, and four large borrowers reach their 90th day past due.",
        _a_spike,
        (
            Shown(
                "tapewatch changed par_90 --limit 1",
                lambda s: show_changes("par_90", s, None, shown=1, is_json=False),
            ),
        ),
    ),
    Chapter(
        "The audit store is down",
        0,
        0,
        "The store refuses every connection while the next run goes on.",
        _the_store_is_down,
        (),
    ),
    Chapter(
        "The store is back",
        0,
        0,
        "A moment later it takes connections again.",
        _the_store_is_back,
        (
            Shown("tapewatch deliver", _deliver),
            Shown("tapewatch audit verify", lambda s: verify_audit(s, is_json=False)),
        ),
        needs_store=True,
    ),
)
