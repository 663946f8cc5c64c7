"""The SQL of the book and of the KPIs means on Spark what it means here."""

from pathlib import Path

import pytest

from settings.kpis import load_catalogue
from tests.warehouse.portable_sql import breaches

SQL = Path(__file__).parents[2] / "warehouse" / "sql"
FOLDERS = ("book", "kpi", "health", "loans", "change")
PORTABLE = sorted(path for folder in FOLDERS for path in (SQL / folder).rglob("*.sql"))
OTHER_BASES = {f"kpi/{basis}" for kpi in load_catalogue() for basis in kpi.other_bases}


def select(expression: str) -> str:
    return f"select {expression} as c from a"  # noqa: S608 - parsed, never run


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.relative_to(SQL).as_posix())
def test_the_sql_of_the_book_and_of_the_kpis_is_portable(path):
    assert breaches(path.read_text()) == []


def test_the_lint_finds_the_files_it_is_for():
    found = {path.parent.relative_to(SQL).as_posix() for path in PORTABLE}

    assert OTHER_BASES
    assert found == {*FOLDERS, *OTHER_BASES}


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        ("select * from a asof join b on a.k = b.k and a.d >= b.d", "asof join"),
        ("select * from a natural join b", "natural join"),
        ("select * from a positional join b", "positional join"),
        ("pivot a on k using sum(x)", "sum(x) filter"),
        ("select * from a, lateral (select 1) as b", "use a join"),
        ("with recursive a as (select 1 as n) select n from a", "recursion"),
        ("select x from a union by name select x from b", "by name"),
        ("select distinct on (k) k, x from a", "row_number"),
        ("select * from a qualify row_number() over (order by k) = 1", "name the columns"),
        ("select x from a limit 1", "row_number"),
        ("select x from read_parquet('a')", "ReadParquet"),
        ("select columns('x') from a", "Columns"),
    ],
)
def test_a_shape_that_spark_does_not_know_is_caught(sql, advice):
    assert advice in "\n".join(breaches(sql))


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("try(x)", "TRY"),
        ("generate_series(date '2025-01-01', date '2025-02-01', interval 1 day)", "unnest(range"),
        ("generate_series(0, 3)", "unnest(range"),
        ("unnest(range(0, n))", "unnest(range"),
        ("unnest(range(3, 0))", "unnest(range"),
        ("unnest(range(0, 3)) + 1", "alone"),
        ("unnest(x)", "alone"),
        ("quantile_cont(x, 0.9)", "refuses"),
        ("list(x order by y)", "loses its order"),
        ("array_agg(x)", "loses its order"),
        ("string_agg(x, ',')", "loses its order"),
        ("sum(x order by y)", "lost"),
        ("fsum(x)", "not on the list"),
        ("hash(x)", "not on the list"),
        ("median(x)", "Median"),
        ("avg(x)", "DECIMAL on Spark"),
        ("sum(cast(x as double))", "order of the rows"),
        ("any_value(x)", "order of the rows"),
        ("arg_max(x, y)", "tied rows"),
        ("arg_min(x, y)", "NULL"),
        ("first(x)", "First"),
        ("row_number() over (partition by x)", "order by"),
        ("lag(x) over ()", "order by"),
        ("round(x, 2)", "0.29"),
        ("concat('a', x)", "||"),
        ("x // 2", "divide doubles"),
        ("x ^ 2", "Pow"),
        ("[1, 2]", "Array"),
        ("{'a': 1}", "Struct"),
        ("x -> 'a'", "JSONExtract"),
        ("dayofweek(paid_date)", "Sunday"),
        ("isodow(paid_date)", "day off"),
        ("extract(dow from paid_date)", "Extract"),
        ("now()", "not on the list"),
        ("today()", "the clock"),
        ("random()", "Rand"),
    ],
)
def test_a_function_with_another_meaning_on_spark_is_caught(expression, advice):
    assert advice in "\n".join(breaches(select(expression)))


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("$as_of - paid_date", "date_diff('day'"),
        ("max(paid_date) - min(paid_date)", "date_diff('day'"),
        ("coalesce(paid_date, $as_of) - cast(x as date)", "date_diff('day'"),
        ("date_diff('month', paid_date, $as_of)", "'day' alone"),
        ("datediff('year', paid_date, $as_of)", "'day' alone"),
        ("date_sub('day', paid_date, $as_of)", "not on the list"),
        ("date_trunc('month', paid_date)", "cast(date_trunc"),
        ("paid_date - interval 90 day", "cast(... as date)"),
        ("cast(paid_date + interval (n) day as date)", "no syntax of Spark"),
        ("cast(paid_date + interval 1 hour as date)", "unit"),
        ("cast(paid_date + to_days(n) as date)", "cast(n as integer)"),
        ("paid_date + n", "cast(n as integer)"),
        ("paid_date + cast(n as bigint)", "cast(n as integer)"),
        ("3 + paid_date", "first"),
    ],
)
def test_a_date_that_spark_counts_otherwise_is_caught(expression, advice):
    assert advice in "\n".join(breaches(select(expression)))


def test_a_date_is_known_by_what_its_alias_is_made_of():
    sql = """
        with opened as (select min(paid_date) as first from payment)
        select again - first as days from (select first as again, first from opened)
    """

    assert "date_diff('day'" in "\n".join(breaches(sql))


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("principal / nullif(total, 0)", "cast both sides"),
        ("principal / nullif(cast(total as double), 0)", "cast both sides"),
        ("cast(principal as double) / nullif(total, 0)", "cast both sides"),
        ("cast(principal as double) / cast(total as double)", "nullif"),
        ("cast(principal as double) / 0", "nullif"),
        ("n % k", "literal"),
        ("cast(principal as integer)", "truncates"),
        ("cast(cast(n as double) as bigint)", "truncates"),
        ("cast(n as hugeint)", "no agreed type"),
        ("cast(paid_date as timestamp)", "no agreed type"),
    ],
)
def test_a_number_that_spark_computes_otherwise_is_caught(expression, advice):
    assert advice in "\n".join(breaches(select(expression)))


def test_an_alias_in_the_where_of_its_own_select_is_caught():
    assert "use a CTE" in "\n".join(breaches("select x + 1 as y from a where y > 2"))


@pytest.mark.parametrize(
    "expression",
    [
        "date_diff('day', due_date, $as_of)",
        "greatest(datediff('day', due_date, $as_of), 0)",
        "cast(due_date - interval 90 day as date)",
        "cast($as_of - interval 12 month as date)",
        "due_date + 90",
        "due_date + cast(n as integer)",
        "due_date + $written_off_after_days",
        "cast(date_trunc('month', $as_of) as date)",
        "cast(date_trunc('month', $as_of) - interval 1 day as date)",
        "last_day(due_date)",
        "(year($as_of) - year(due_date)) * 12 + month($as_of) - month(due_date)",
        "cast(sum(cash) as double) / nullif(cast(count(*) as double), 0)",
        "100 * cast(sum(cash) as double) / nullif(cast(sum(due) as double), 0)",
        "cast(cash as double) / 30",
        "coalesce(sum(cash) filter (where days_past_due >= 90), 0)",
        "sum(cash) over (partition by loan_key order by due_date)",
        "row_number() over (partition by loan_key order by due_date, seq)",
        "count(distinct case when cash > 0 then customer_id end)",
        "'only ' || n || ' events'",
        "unnest(range(0, 30))",
        "cast(null as decimal(18, 2))",
        "n % 7",
    ],
)
def test_an_agreed_form_passes(expression):
    assert breaches(select(expression)) == []


def test_agreed_shapes_pass():
    sql = """
        with spell as (
            select k, lead(paid_date) over days as valid_to, sum(cash) over days as cash
            from payment semi join loan using (k)
            window days as (partition by k order by paid_date)
        )
        select spell.k, spell.cash
        from spell left join other on spell.k = other.k and other.due_date <= $as_of
        where not exists (select 1 from gone where gone.k = spell.k)
        qualify row_number() over (partition by spell.k order by spell.cash desc) = 1
        union all
        select n as k, 0 as cash from (values (1), (2)) as v(n)
    """

    assert breaches(sql) == []
