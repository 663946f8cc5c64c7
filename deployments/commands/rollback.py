"""`tapewatch rollback`: serve an earlier run again, and say why."""

import time
from datetime import UTC, datetime

from deployments.documents import print_json
from deployments.drawing import draw_if_linked
from deployments.lookup import folder_of
from deployments.render import open_console, print_facts, print_kpis
from settings.model import Settings
from settings.version import code_version
from warehouse.layout import Layout
from warehouse.rollback import roll_back
from warehouse.run_folder import compared_run


def roll_back_to(settings: Settings, run: str | None, reason: str, *, is_json: bool) -> None:
    """Move the pointer and show what is served now.

    Raises:
        HashMismatchError: That run is not what was sealed; nothing has changed.
        LockHeldError: A run is at work.
        NoReasonError: `reason` is blank.
        NoSuchRunError: `run` names none, or several.
        NothingToRollBackError: There is no such run of this book.
    """
    layout, started = Layout.of(settings), time.perf_counter()
    name = None if run is None else folder_of(layout, run)
    done = roll_back(layout, name, reason, datetime.now(UTC), code_version())
    seconds = time.perf_counter() - started
    draw_if_linked(done.now, None, settings)
    if is_json:
        print_json(
            {
                "before": done.before,
                "now": done.now.name,
                "withdrawn": [*done.withdrawn],
                "still_withdrawn": [*done.still_withdrawn],
                "reason": reason,
                "seconds": round(seconds, 3),
            }
        )
        return
    console = open_console()
    console.print(f"{layout.book} serves {done.now.name} again", style="bold", markup=False)
    print_kpis(console, done.now, compared_run(layout, done.now))
    console.print()
    facts = {
        "served before": done.before or "nothing",
        "withdrawn": ", ".join(done.withdrawn) or "none",
        "took": f"{seconds:.2f} s",
    }
    if done.still_withdrawn:
        facts["withdrawn before"] = ", ".join(done.still_withdrawn)
    if done.before is not None:
        book = f" --portfolio {settings.portfolio.name}"
        facts["back again"] = f"tapewatch rollback {done.before} --reason TEXT{book}"
    print_facts(console, facts)
