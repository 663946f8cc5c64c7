"""The subset of DuckDB's SQL that SQLGlot carries to Spark unchanged in meaning, as a lint.

A node of the syntax tree is refused unless it is listed: what is listed was run on both engines
over rows with NULLs and gave equal values. Types are not known here, so dates are recognised by
name ($as_of, *_date, *_day, valid_from, valid_to) and by what an alias is made of.
"""

import re
from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import ErrorLevel, exp

# What a refused form does instead of what was meant, and what to write.
ADVICE = {
    "Anonymous": "is not on the list of functions that mean the same on Spark",
    "AnyValue": "depends on the order of the rows: use row_number() over a full order",
    "ArgMax": "depends on the order of tied rows: use row_number() over a full order",
    "ArgMin": "skips NULL answers in DuckDB alone: use row_number() over a full order",
    "ArrayAgg": "loses its order on Spark",
    "Avg": "is DOUBLE in DuckDB, DECIMAL on Spark: cast sum(x) and count(x) to double and divide",
    "Concat": "fails on Spark when a number is NULL: join with ||",
    "CurrentDate": "reads the clock: bind $as_of",
    "DayOfWeek": "counts from Sunday = 0 in DuckDB, from Sunday = 1 on Spark",
    "DayOfWeekIso": "is a day off after transpiling",
    "GenerateSeries": "is portable as unnest(range(0, 30)) in a select list alone",
    "GroupConcat": "loses its order on Spark",
    "IntDiv": "gives another type and fails on zero: divide doubles",
    "Lateral": "has no counterpart that was tried: use a join",
    "Limit": "picks rows by their order: use row_number() over a full order",
    "PercentileCont": "becomes a call that Spark refuses",
    "Pivot": "is left as it is: use sum(x) filter (where ...)",
    "Round": "rounds 0.285 to 0.28 in DuckDB and to 0.29 on Spark: ratios are rounded at output",
    "ToDays": "is unknown to Spark: add cast(n as integer) to the date",
}

# The kinds of nodes in the tree: functions, then clauses, then operators and values.
ALLOWED = frozenset(
    re.findall(
        r"\w+",
        """
        Abs Case Cast Coalesce Count CountIf DateDiff Day DenseRank Exists Explode FirstValue
        Greatest If Lag LastDay Lead Least Length LogicalAnd LogicalOr Lower Max Min Month Nullif
        Rank RowNumber Sum TimestampTrunc Trim TryCast Upper Year

        Alias CTE DataType DataTypeParam Distinct Except Filter From Group Having Identifier
        Interval Intersect Join Order Ordered Placeholder Qualify Select Star Subquery Table
        TableAlias Tuple Union Values Var Where Window WindowSpec With

        Add And Between Boolean Column DPipe Div EQ GT GTE ILike In Is LT LTE Like Literal Mod Mul
        NEQ Neg Not Null NullSafeEQ NullSafeNEQ Or Paren Sub
        """,
    )
)

NEED_ORDER = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead, exp.FirstValue)
KEEP_TYPE = (exp.Min, exp.Max, exp.Coalesce, exp.Greatest, exp.Least, exp.Nullif, exp.Paren)
KEEP_TYPE += (exp.Filter, exp.Window, exp.Lag, exp.Lead, exp.FirstValue, exp.Abs, exp.Neg, exp.Sum)
TYPES = frozenset(("BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "INT", "TEXT", "VARCHAR"))
DATE_NAME = re.compile(r"(_date|_day|^valid_from|^valid_to|as_of)$")
DATE_PARAMETER = re.compile(r"(_date|_day|as_of|_start|_end|_until|_after|_before)$")
MONEY_NAME = re.compile(r"(principal|interest|fees|other|tax|cash|balance|amount|outstanding)")


def breaches(sql: str) -> list[str]:
    """Return what in a DuckDB query would mean something else on Spark, one line each."""
    try:
        sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=ErrorLevel.RAISE)
        trees = sqlglot.parse(sql, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        return [f"SQLGlot cannot carry it: {error}"]
    found = [line for tree in trees if tree for line in _Lint(tree).lines()]
    return list(dict.fromkeys(found))


class _Lint:
    """The rules over one statement."""

    def __init__(self, tree: exp.Expression) -> None:
        self.tree = tree
        self.dates: set[str] = set()
        self.doubles: set[str] = set()
        self._learn(self.dates, self.is_date)
        self._learn(self.doubles, self.is_double)

    def lines(self) -> Iterator[str]:
        for node in self.tree.walk():
            kind = type(node).__name__
            if kind not in ALLOWED and not _is_number_row(node):
                yield f"{_text(node)}: {ADVICE.get(kind, f'{kind} is not on the agreed list')}"
            for reason in getattr(self, f"check_{kind.lower()}", _nothing)(node):
                yield f"{_text(node)}: {reason}"

    def _learn(self, names: set[str], is_kind: Callable[[exp.Expression], bool]) -> None:
        """Add the aliases that are made of such a thing, and those made of these."""
        aliases = list(self.tree.find_all(exp.Alias))
        while grown := {alias.alias for alias in aliases if is_kind(alias.this)} - names:
            names |= grown

    # ------------------------------------------------------------------ types, as far as seen

    def is_date(self, node: exp.Expression) -> bool:
        if isinstance(node, exp.Column):
            return node.name in self.dates or bool(DATE_NAME.search(node.name))
        if isinstance(node, exp.Placeholder):
            return bool(DATE_PARAMETER.search(node.name))
        if isinstance(node, exp.Cast):
            return _type(node) == "DATE"
        if isinstance(node, exp.Add | exp.Sub):
            return self.is_date(node.this) and not self.is_date(node.expression)
        return isinstance(node, exp.LastDay | exp.TimestampTrunc) or self._any(self.is_date, node)

    def is_double(self, node: exp.Expression) -> bool:
        if isinstance(node, exp.Column):
            return node.name in self.doubles
        if isinstance(node, exp.Cast):
            return _type(node) == "DOUBLE"
        if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Mod):
            return self.is_double(node.this) or self.is_double(node.expression)
        return isinstance(node, exp.Div) or self._any(self.is_double, node)

    @staticmethod
    def _any(is_kind: Callable[[exp.Expression], bool], node: exp.Expression) -> bool:
        """Whether a node that keeps the type of its arguments has one of that kind."""
        if isinstance(node, exp.Case):
            parts = [*(when.args["true"] for when in node.args["ifs"]), node.args.get("default")]
            return any(is_kind(part) for part in parts if part is not None)
        if not isinstance(node, KEEP_TYPE):
            return False
        return any(is_kind(part) for part in [node.this, *node.expressions] if part is not None)

    # ------------------------------------------------------------------ one rule a kind of node

    def check_div(self, node: exp.Div) -> Iterator[str]:
        for side in (node.this, node.expression):
            if not (isinstance(side, exp.Literal) or self.is_double(side)):
                yield "decimals divide to another scale: cast both sides to double"
        below = node.expression.unnest()
        is_guarded = isinstance(below, exp.Nullif) and below.expression.name == "0"
        if not (is_guarded or _is_not_zero(below)):
            yield "by zero is inf in DuckDB and an error on Spark: nullif(..., 0)"

    def check_mod(self, node: exp.Mod) -> Iterator[str]:
        if not _is_not_zero(node.expression):
            yield "by zero fails: use a literal"

    def check_sub(self, node: exp.Sub | exp.Add) -> Iterator[str]:
        left, right = node.this.unnest(), node.expression.unnest()
        if isinstance(left, exp.Interval) or isinstance(right, exp.Interval):
            if not _is_cast_to_date(node):
                yield "is TIMESTAMP in DuckDB and DATE on Spark: cast(... as date)"
        elif self.is_date(left) and self.is_date(right):
            yield "is an INTERVAL on Spark: date_diff('day', earlier, later)"
        elif self.is_date(left) and not _is_whole_days(right):
            yield "may be no INTEGER: add or subtract cast(n as integer), a literal or $..._days"
        elif self.is_date(right):
            yield "has the date on the right: write it first"

    check_add = check_sub

    def check_interval(self, node: exp.Interval) -> Iterator[str]:
        if not isinstance(node.this, exp.Literal):
            yield "with an expression is no syntax of Spark: date + cast(n as integer)"
        if node.text("unit").upper().rstrip("S") not in {"DAY", "WEEK", "MONTH", "YEAR"}:
            yield "is of a unit that is not agreed: day, week, month or year"

    def check_explode(self, node: exp.Explode) -> Iterator[str]:
        if not (_is_number_row(node.this) and isinstance(node.parent, exp.Alias)):
            yield "is portable as unnest(range(0, 30)) as n, alone"

    def check_datediff(self, node: exp.DateDiff) -> Iterator[str]:
        if node.text("unit").upper() != "DAY":
            yield "counts boundaries in DuckDB and full units on Spark: 'day' alone is agreed"

    def check_timestamptrunc(self, node: exp.TimestampTrunc) -> Iterator[str]:
        if not _is_cast_to_date(node):
            yield "is a TIMESTAMP: cast(date_trunc(...) as date)"

    def check_cast(self, node: exp.Cast) -> Iterator[str]:
        kind = _type(node)
        if kind not in TYPES:
            yield f"{kind} is no agreed type"
        if kind in {"INT", "BIGINT"} and self._has_cents(node.this):
            yield "rounds in DuckDB and truncates on Spark"

    check_trycast = check_cast

    def check_sum(self, node: exp.Sum) -> Iterator[str]:
        if self.is_double(node.this):
            yield "of doubles depends on the order of the rows: sum the decimals, then cast"

    def check_window(self, node: exp.Window) -> Iterator[str]:
        needs = isinstance(node.this, NEED_ORDER)
        if needs and not (node.args.get("order") or _named_window(node).get("order")):
            yield "needs an order by"

    def check_windowspec(self, node: exp.WindowSpec) -> Iterator[str]:
        if node.text("kind").upper() not in {"ROWS", "RANGE"}:
            yield "is a frame that Spark does not know: rows or range"

    def check_order(self, node: exp.Order) -> Iterator[str]:
        if isinstance(node.parent, exp.AggFunc):
            yield "inside an aggregate is lost on Spark"

    def check_join(self, node: exp.Join) -> Iterator[str]:
        if node.method:
            yield f"{node.method.lower()} join is left as it is: use on or using"

    def check_distinct(self, node: exp.Distinct) -> Iterator[str]:
        if node.args.get("on"):
            yield "picks rows by their order: use row_number() over a full order"

    def check_qualify(self, node: exp.Qualify) -> Iterator[str]:
        if node.parent_select and node.parent_select.is_star:
            yield "with * adds a column: name the columns"

    def check_with(self, node: exp.With) -> Iterator[str]:
        if node.recursive:
            yield "recursion is not agreed"

    def check_union(self, node: exp.SetOperation) -> Iterator[str]:
        if node.args.get("by_name"):
            yield "by name is no syntax of Spark: name the columns in one order"

    check_except = check_intersect = check_union

    def check_where(self, node: exp.Where) -> Iterator[str]:
        select = node.parent
        if not isinstance(select, exp.Select):
            return
        made = {alias.alias for alias in select.selects if isinstance(alias, exp.Alias)}
        for column in node.find_all(exp.Column):
            if not column.table and column.name in made and column.parent_select is select:
                yield f"{column.name} is made in this select, where Spark cannot see it: use a CTE"

    def _has_cents(self, node: exp.Expression) -> bool:
        if isinstance(node, exp.Count | exp.DateDiff):
            return False
        return any(
            self.is_double(part)
            or (isinstance(part, exp.Cast) and _type(part) == "DECIMAL")
            or (isinstance(part, exp.Column) and bool(MONEY_NAME.search(part.name)))
            for part in node.walk()
        )


def _nothing(_: exp.Expression) -> Iterator[str]:
    return iter(())


def _text(node: exp.Expression) -> str:
    text = node.sql(dialect="duckdb").lower()
    return text if len(text) <= 60 else f"{text[:57]}..."


def _type(node: exp.Cast) -> str:
    return node.to.this.name


def _is_cast_to_date(node: exp.Expression) -> bool:
    above = node.parent
    while isinstance(above, exp.Paren | exp.Add | exp.Sub):
        above = above.parent
    return isinstance(above, exp.Cast) and _type(above) == "DATE"


def _is_whole_days(node: exp.Expression) -> bool:
    if isinstance(node, exp.Placeholder):
        return node.name.endswith("_days")
    return node.is_int or (isinstance(node, exp.Cast) and _type(node) == "INT")


def _is_not_zero(node: exp.Expression) -> bool:
    inner = node.this if isinstance(node, exp.Cast) else node
    return isinstance(inner, exp.Literal) and not inner.is_string and float(inner.this) != 0


def _is_number_row(node: exp.Expression) -> bool:
    """Whether this is range(low, high) of two literals under an unnest in a select list."""
    if not isinstance(node, exp.GenerateSeries):
        return False
    low, high = node.args.get("start"), node.args.get("end")
    is_exclusive = bool(node.args.get("is_end_exclusive")) and not node.args.get("step")
    if not (is_exclusive and isinstance(node.parent, exp.Explode) and low and high):
        return False
    return low.is_int and high.is_int and int(low.name) < int(high.name)


def _named_window(node: exp.Window) -> dict[str, object]:
    select = node.parent_select
    windows = (select.args.get("windows") or []) if select else []
    return next((window.args for window in windows if window.name == node.alias), {})
