"""Work out the KPIs of past days from the served tape, and log how far it is."""

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from settings.model import Settings
from tasks.progress import Progress
from tasks.showing import artifact_key
from warehouse.backfill import Backfilled, PastDays, backfill
from warehouse.layout import Layout
from warehouse.served import served_run

_LINES = 10  # of progress, at most, however many days there are


@task(
    name="backfill",
    task_run_name="backfill",
    description="Works out the KPIs of past days from the served tape, each once.",
    tags=["tapewatch"],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def backfill_past(settings: Settings, asked: PastDays) -> Backfilled:
    """Work out the days asked for that are not known yet; another try goes on where it was.

    Raises:
        TapewatchError: What stopped it, with the next step.
    """
    log = get_run_logger()
    layout = Layout.of(settings)
    book = settings.portfolio.name
    progress = Progress(artifact_key("backfill", book), f"{book}: past days worked out")

    progress.show(0)

    def told(done: int, of: int) -> None:
        progress.move(100 * done / of)
        if done == of or done % -(-of // _LINES) == 0:
            log.info("%d of %d days", done, of)

    done = backfill(layout, served_run(layout), settings, asked, datetime.now(UTC), told)
    progress.show(100)
    log.info("run %s: %d days known, %d of them new", done.run.name, len(done.days), len(done.new))
    return done
