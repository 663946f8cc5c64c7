"""Leave what a verification found where the exporter finds it, so that it alerts by itself."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from settings.errors import TapewatchError, error_line
from settings.model import Settings
from warehouse.layout import Layout
from warehouse.verification import VerificationKind, keep_part, keep_whole, verification_file


def keep_verdict(
    settings: Settings, kind: VerificationKind, found: Mapping[str, int], *, is_whole: bool
) -> None:
    """Keep how many problems each thing has; that it cannot be kept is told and no error.

    The verdict itself stands: who reads a data folder that may not be written can verify it too.
    """
    path = verification_file(Layout.of(settings), settings.environment, kind)
    now = datetime.now(UTC)
    try:
        if is_whole:
            keep_whole(path, found, now)
        else:
            keep_part(path, found, now)
    except TapewatchError as error:
        told = f"the verdict is not kept, so nothing alerts by it: {error.message}"
        sys.stderr.write(f"{error_line(error.code, told, error.fix)}\n")
