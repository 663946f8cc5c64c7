"""Look at the shadow runs of the last hours, and show the page on the flow run's page."""

from datetime import UTC, datetime

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from settings.model import Environment, Settings
from tasks.showing import artifact_key, showing
from warehouse.layout import Layout
from warehouse.shadow_day import ShadowDay, Side, shadow_day
from warehouse.shadow_report import day_page, keep_page


@task(
    name="shadow",
    task_run_name="shadow",
    description="Holds each shadow run of the last hours to the run it ran beside.",
    tags=["tapewatch"],
    cache_policy=NO_CACHE,
    persist_result=False,
)
def look_at_shadows(settings: Settings, reference: Environment, shadow: Environment) -> ShadowDay:
    """Compare, keep the page in logs/shadow, and show it.

    Raises:
        StorageError: A run cannot be read, or the page not written.
    """
    now = datetime.now(UTC)
    one, other = (Side(name, Layout.beside(settings, name)) for name in (reference, shadow))
    day = shadow_day(one, other, settings.shadow.hours, now, settings)
    page = day_page(day)
    path = keep_page(Layout.of(settings), page, now)
    with showing("the shadow runs"):
        create_markdown_artifact(page, key=artifact_key("shadow", settings.portfolio.name))
    get_run_logger().info("%s; %s", "; ".join(day.reasons) or "ready for the cutover", path)
    return day
