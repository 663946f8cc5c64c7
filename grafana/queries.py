"""PromQL for the panels, of metrics that METRICS declares and of their own labels alone."""

from prometheus.metrics import METRICS, PREFIX

_SUFFIXES = {"gauge": ("",), "counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
_SERIES = {
    name + suffix: metric for name, metric in METRICS.items() for suffix in _SUFFIXES[metric.kind]
}
_PORTFOLIO = 'portfolio=~"$portfolio"'
STATUS_CODES = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}


def select(series: str, *matchers: str) -> str:
    """Return a selector of one series name, of the portfolios that are chosen.

    Raises:
        KeyError: No metric has such a series.
    """
    own = (_PORTFOLIO,) if "portfolio" in _SERIES[series].labels else ()
    inside = ",".join((*own, *matchers))
    return f"{PREFIX}{series}{{{inside}}}" if inside else PREFIX + series


def gauge(series: str, *matchers: str, by: str = "portfolio") -> str:
    """Return a gauge by some labels; the max joins what two scrapers tell of the same."""
    return f"max by ({by}) ({select(series, *matchers)})"


def titled(expression: str, *matchers: str, labels: str = "title") -> str:
    """Give series that are named by their KPI the words of the catalogue."""
    info = gauge("kpi_info", *matchers, by=f"kpi, {labels}")
    return f"{expression} * on (kpi) group_left ({labels}) {info}"


def kpi_values(*matchers: str) -> str:
    """Return the values of KPIs by portfolio and basis."""
    return gauge("kpi_value", *matchers, by="kpi, portfolio, basis")


def status_code(*matchers: str, by: str = "portfolio") -> str:
    """Return the status as a number that mappings turn into a word: one series at all times."""
    return " + ".join(
        f"{code} * " * (code > 1) + gauge("kpi_status", f'status="{status}"', *matchers, by=by)
        for status, code in STATUS_CODES.items()
        if code
    )


def increase(series: str, *matchers: str, by: str) -> str:
    """Return by how much a counter rose in the range that is shown."""
    return f"sum by ({by}) (increase({select(series, *matchers)}[$__range]))"


def gained(series: str, by: str) -> str:
    """Return by how much a counter rose whose series begin with their first event.

    increase() needs two samples, so it would miss that first event.
    """
    now = gauge(series, by=by)
    earlier = f"max by ({by}) ({select(series)} offset $__range)"
    return f"{now} - ({earlier} or {now} * 0)"


def change(expression_of: str, *matchers: str, by: str) -> str:
    """Return a gauge now less what it was where the range begins."""
    earlier = f"max by ({by}) ({select(expression_of, *matchers)} offset $__range)"
    return f"{gauge(expression_of, *matchers, by=by)} - {earlier}"
