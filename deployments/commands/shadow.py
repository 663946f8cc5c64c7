"""`tapewatch shadow`: the next code beside the code in use, on the same tape."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from deployments.bare_table import bare_table
from deployments.documents import print_json
from deployments.lookup import folder_of
from deployments.render import open_console, short_path
from settings.errors import DataRejectedError, UsageError
from settings.model import ENVIRONMENTS, Settings
from warehouse.layout import Layout
from warehouse.manifest import load_manifest
from warehouse.run_folder import SealedRun
from warehouse.served import served_run
from warehouse.shadow import Comparison, Line, RunSeen, compare_shadow, look_at
from warehouse.shadow_day import ShadowDay, Side, shadow_day
from warehouse.shadow_report import comparison_page, day_page, keep_page


class ShadowDiffersError(DataRejectedError):
    """A shadow run differs from its reference beyond the tolerances."""

    code = "SHADOW_DIFFERS"


class NotComparableError(UsageError):
    """The two runs were not asked the same: another book, day or tape."""

    code = "NOT_COMPARABLE"


class NoSuchEnvironmentError(UsageError):
    """There is no environment of that name."""

    code = "NO_SUCH_ENVIRONMENT"


class NotReadyError(DataRejectedError):
    """The shadow runs of the last hours allow no cutover yet."""

    code = "SHADOW_NOT_READY"


def compare_runs(settings: Settings, reference: str, shadow: str, *, is_json: bool) -> None:
    """Show two runs side by side and keep the page.

    Raises:
        NotComparableError: They were not asked the same.
        ShadowDiffersError: Something is beyond its tolerance.
        NothingPublishedError: An environment serves no run.
        NoSuchRunError: No run has that name, or several begin so.
    """
    seen, again = (_seen(settings, named) for named in (reference, shadow))
    comparison = compare_shadow(seen, again, settings)
    page = keep_page(Layout.of(settings), comparison_page(comparison), datetime.now(UTC))
    if is_json:
        print_json(_document(comparison, page))
    else:
        _show(comparison, page)
    refuse_beyond(comparison)


def refuse_beyond(comparison: Comparison) -> None:
    """Raise what a comparison found.

    Raises:
        NotComparableError: The two runs were not asked the same.
        ShadowDiffersError: Something is beyond its tolerance.
    """
    beyond = ", ".join(f"{line.part} {line.what}" for line in comparison.beyond)
    if comparison.verdict == "not comparable":
        fix = "name two runs of one book, day and tape; `tapewatch shadow summary` pairs them"
        raise NotComparableError(f"{beyond} differ", fix=fix)
    if comparison.verdict == "differs":
        fix = "find out why before any cutover; a wanted change is told in the changelog"
        raise ShadowDiffersError(f"beyond their tolerance: {beyond}", fix=fix)


def summarise(
    settings: Settings, reference: str, shadow: str, hours: int | None, *, is_json: bool
) -> None:
    """Show the shadow runs of the last hours together and keep the page.

    Raises:
        NoSuchEnvironmentError: There is no environment of that name.
        NotReadyError: No cutover can follow yet.
    """
    for name in (reference, shadow):
        if name not in ENVIRONMENTS:
            told = f"no environment is called {name}"
            raise NoSuchEnvironmentError(told, fix=f"name one of {', '.join(ENVIRONMENTS)}")
    now, of = datetime.now(UTC), hours or settings.shadow.hours
    one, other = (Side(name, Layout.beside(settings, name)) for name in (reference, shadow))
    day = shadow_day(one, other, of, now, settings)
    page = keep_page(Layout.of(settings), day_page(day), now)
    if is_json:
        print_json(_day_document(day, page))
    else:
        _show_day(day, page)
    if not day.is_ready:
        fix = "let staging run beside production for longer, and look into each that differs"
        raise NotReadyError("; ".join(day.reasons), fix=fix)


def _seen(settings: Settings, named: str) -> RunSeen:
    """Return the run that a person means: ENVIRONMENT, ENVIRONMENT/RUN, RUN, or its folder."""
    if named.startswith(("/", "./", "../")):
        folder = Path(named).resolve()
        run = SealedRun(folder, load_manifest(folder))
        home, identity = folder.parents[1], run.manifest.identity
        layout = Layout(home, home.parent / "logs").of_book(identity.book)
        return look_at(layout, identity.environment, run)
    environment, _, name = named.partition("/")
    if environment not in ENVIRONMENTS:
        environment, name = settings.environment, named
    layout = Layout.beside(settings, environment)
    if not name:
        return look_at(layout, environment, served_run(layout))
    folder = layout.runs / folder_of(layout, name)
    return look_at(layout, environment, SealedRun(folder, load_manifest(folder)))


def _show(comparison: Comparison, page: Path) -> None:
    console = open_console()
    title = f"{comparison.shadow.name} beside {comparison.reference.name}"
    console.print(title, style="bold", markup=False)
    quiet = ("check", "0", "0")  # most checks find nothing: the page has them all
    shown = [x for x in comparison.lines if (x.part, x.reference, x.shadow) != quiet]
    console.print(_table(shown))
    _say(comparison.verdict, comparison.verdict == "same")
    console.print(f"report  {short_path(page)}", markup=False)


def _show_day(day: ShadowDay, page: Path) -> None:
    console = open_console()
    for comparison in day.comparisons:
        title = f"{comparison.shadow.name} beside {comparison.reference.name}"
        console.print(f"{title}: {comparison.verdict}", style="bold", markup=False)
        if comparison.beyond:
            console.print(_table(comparison.beyond))
    console.print(f"{day.covered_hours:.1f} of {day.hours} hours covered", markup=False)
    _say("ready for the cutover" if day.is_ready else "not ready", day.is_ready)
    console.print(f"report  {short_path(page)}", markup=False)


def _say(verdict: str, is_good: bool) -> None:
    open_console().print(Text(f"verdict {verdict}", "bold green" if is_good else "bold red"))


def _table(lines: Sequence[Line]) -> Table:
    table = bare_table()
    table.add_column("")
    table.add_column("what")
    table.add_column("reference", justify="right")
    table.add_column("shadow", justify="right")
    table.add_column("")
    for line in lines:
        mark = Text("") if line.is_within else Text("beyond", "bold red")
        table.add_row(line.part, line.what, line.reference, line.shadow, mark)
    return table


def _document(comparison: Comparison, page: Path | None) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {
        "reference": comparison.reference.name,
        "shadow": comparison.shadow.name,
        "verdict": comparison.verdict,
        "lines": [asdict(line) for line in comparison.lines],
    }
    return told if page is None else {**told, "report": str(page)}


def _day_document(day: ShadowDay, page: Path) -> dict[str, JsonValue]:
    return {
        "is_ready": day.is_ready,
        "reasons": [*day.reasons],
        "hours": day.hours,
        "covered_hours": round(day.covered_hours, 3),
        "comparisons": [_document(comparison, None) for comparison in day.comparisons],
        "report": str(page),
    }
