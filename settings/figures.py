"""What decides a figure or its status: book, windows, quality, health, operations, anomaly."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Self, cast

from pydantic import (
    Field,
    model_validator,
)

from settings.thresholds import Thresholds
from settings.value_types import (
    Anchors,
    AtLeastOne,
    Days,
    Factor,
    Pattern,
    Ratio,
    Section,
)


class BookSettings(Section):
    """When a loan leaves the live book."""

    closed_below_ratio: Annotated[Ratio, Field(lt=1)]
    written_off_after_days: Days


class WindowsSettings(Section):
    """How far back each KPI looks."""

    collection_days: Days
    rdr_event_days: Days
    rdr_workout_days: Days
    rdr_min_events: AtLeastOne
    books_months: AtLeastOne
    quiet_ledger_days: Days

    @model_validator(mode="after")
    def _events_reach_further_than_workout(self) -> Self:
        if self.rdr_event_days <= self.rdr_workout_days:
            raise ValueError("rdr_event_days must be more than rdr_workout_days")
        return self


class QualitySettings(Section):
    """What a tape may get wrong before it is rejected, and what is worth a warning."""

    max_rejected_row_ratio: Ratio
    max_rejected_balance_ratio: Ratio
    max_balance_fall_ratio: Ratio
    max_balance_rise_factor: Factor
    apr_max: Annotated[Decimal, Field(gt=0, le=1_000, decimal_places=6)]
    term_max_days: Days
    customer_id_pattern: Pattern
    loan_tape_lists_closed_loans: bool  # a loan tape without them loses loans by being paid


class HealthSettings(Section):
    """How portfolio_health scores its components: piecewise linear through [value, score]."""

    anchors: Mapping[str, Anchors]
    weights: Mapping[str, Annotated[Ratio, Field(gt=0)]]
    optional_components: tuple[str, ...]

    @model_validator(mode="after")
    def _components_agree(self) -> Self:
        if set(self.anchors) != set(self.weights):
            raise ValueError("anchors and weights must name the same components")
        if sum(self.weights.values()) != 1:
            raise ValueError("weights must add up to 1")
        if not set(self.optional_components) < set(self.weights):
            raise ValueError("optional_components must be some, not all, of the components")
        return self


class OperationsSettings(Section):
    """The lines of the pipeline's own metrics; of each but the days left, lower is better."""

    latency_minutes: Thresholds
    freshness_hours: Thresholds
    errors: Thresholds
    last_success_hours: Thresholds
    quarantined_ratio: Thresholds  # beyond quality.max_rejected_row_ratio the tape is rejected
    verification_days: Thresholds  # since everything was verified
    drill_days: Thresholds  # since the audit store's export was last restored
    credential_days: Thresholds  # that a credential has left

    @model_validator(mode="after")
    def _lines_are_in_order(self) -> Self:
        for name in type(self).model_fields:
            better = "higher" if name == "credential_days" else "lower"
            if problem := cast("Thresholds", getattr(self, name)).misplaced(better):
                raise ValueError(f"{name}: {problem}")
        return self


class AnomalySettings(Section):
    """When a KPI is unusual against its own past; none of it changes a value."""

    points: AtLeastOne  # earlier days, the newest ones, that a value is judged by
    min_points: AtLeastOne  # fewer known values among them say nothing
    factor: Factor  # how many spreads from the median are still usual
    floor_ratio: Ratio  # of the median: the spread is never taken for less

    @model_validator(mode="after")
    def _enough_points_can_count(self) -> Self:
        if self.min_points > self.points:
            raise ValueError("min_points must not be more than points")
        return self
