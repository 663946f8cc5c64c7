"""The generated page says what the catalogue and the SQL say."""

from deployments.kpi_page import PAGE, kpi_page


def test_the_kpi_page_equals_a_fresh_generation():
    assert PAGE.read_text(encoding="utf-8") == kpi_page(), "run `make docs` and commit docs/kpis.md"
