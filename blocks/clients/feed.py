"""Where the daily run takes its export from when nobody names a file."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from blocks.clients.cascade import CascadeClient, Log
from settings.connections import CascadeSettings
from settings.model import Settings
from warehouse.drop_folder import StillWrittenError, newest_export
from warehouse.job import Fetch, Fetched


def open_feed(
    settings: Settings,
    cascade: CascadeSettings,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetch:
    """Return Cascade over HTTP when it is configured, else the newest export of the drop folder.

    Raises:
        HalfConfiguredError: One of Cascade's two variables is set and the other is not.
    """
    if cascade.is_configured:
        client = CascadeClient(cascade, settings.paths.data_dir / "cascade")
        return lambda folder, log: Fetched((client.fetch(folder, log),), "cascade")

    def newest(_folder: Path, log: Log) -> Fetched:
        try:
            path = newest_export(settings, datetime.fromtimestamp(clock(), UTC))
        except StillWrittenError:
            log.info(
                "waiting for the export to be whole", seconds=settings.ingestion.settle_seconds
            )
            sleep(settings.ingestion.settle_seconds)
            path = newest_export(settings, datetime.fromtimestamp(clock(), UTC))
        log.info("export taken from the drop folder", name=path.name)
        return Fetched((path,), "drop_folder")

    return newest
