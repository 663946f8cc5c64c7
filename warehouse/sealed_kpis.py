"""The KPI values that a run is sealed with: how its manifest keeps them, and what they were."""

from pydantic import TypeAdapter

from settings.kpis import Kpi, kpis_by_name
from warehouse.json_text import JsonObject
from warehouse.kpis import HealthComponent, KpiValue
from warehouse.run_folder import SealedRun

_VALUES = TypeAdapter(tuple[KpiValue, ...])
_HEALTH = TypeAdapter(tuple[HealthComponent, ...])


def kpi_document(
    values: tuple[KpiValue, ...], health: tuple[HealthComponent, ...] = ()
) -> JsonObject:
    """Return what a manifest keeps of a run's KPIs."""
    return {
        "values": _VALUES.dump_python(values, mode="json"),
        "health": _HEALTH.dump_python(health, mode="json"),
    }


def read_kpis(run: SealedRun) -> tuple[KpiValue, ...]:
    """Return the KPI values of a sealed run, in the catalogue's order of its day."""
    return _VALUES.validate_python(run.manifest.kpis["values"])


def beyond_lines(run: SealedRun) -> list[tuple[Kpi, KpiValue]]:
    """Return the KPIs of a run that are beyond a line of theirs, or unknown."""
    kpis = kpis_by_name()
    judged = ((kpis.get(value.name), value) for value in read_kpis(run) if value.status != "ok")
    return [(kpi, value) for kpi, value in judged if kpi is not None and kpi.thresholds is not None]


def read_health(run: SealedRun) -> tuple[HealthComponent, ...]:
    """Return what each component added to the run's portfolio_health."""
    return _HEALTH.validate_python(run.manifest.kpis["health"])
