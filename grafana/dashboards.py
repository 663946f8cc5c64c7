"""`python -m grafana.dashboards`: write the committed JSON, which follows from the catalogue."""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.executive import executive_page
from grafana.frame import Page, frame
from grafana.kpi import kpi_page
from grafana.pipeline import pipeline_page
from grafana.risk import risk_page
from settings.kpis import Kpi, load_catalogue

FOLDER = Path(__file__).with_name("dashboards")


def dashboards(catalogue: tuple[Kpi, ...]) -> dict[str, str]:
    """Return the text of each file by its name."""
    pages = {
        "kpi.json": kpi_page(catalogue),
        "risk.json": risk_page(catalogue),
        "executive.json": executive_page(catalogue),
        "pipeline.json": pipeline_page(),
    }
    return {name: _encode(page) for name, page in pages.items()}


def write(folder: Path) -> None:
    """Write every dashboard into a folder, and take away those that are none any more."""
    folder.mkdir(exist_ok=True)
    made = dashboards(load_catalogue())
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()


def _encode(page: Page) -> str:
    return json.dumps(frame(page), cls=JSONEncoder, sort_keys=True, indent=2) + "\n"


def main() -> int:
    """Write them beside this module."""
    write(FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
