"""The KPI values that a run is sealed with: how its manifest keeps them, and what they were."""

from pydantic import TypeAdapter

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


def read_health(run: SealedRun) -> tuple[HealthComponent, ...]:
    """Return what each component added to the run's portfolio_health."""
    return _HEALTH.validate_python(run.manifest.kpis["health"])
