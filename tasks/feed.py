"""Open the feed of the daily flow: the saved block first, then the settings."""

from blocks.cascade import load_cascade_settings
from blocks.clients.feed import open_feed
from settings.model import Settings
from warehouse.job import Fetch


def export_feed(settings: Settings) -> Fetch:
    """Return where the export of the settings' portfolio comes from.

    Raises:
        ConfigError: The block or the settings are wrong.
    """
    return open_feed(settings, load_cascade_settings(settings, settings.portfolio.name))
