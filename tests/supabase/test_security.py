"""Who may do what in the audit store: the service role reads and records, nobody does more."""

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.postgres import API_ROLES
from tests.supabase.payloads import payload

TABLES = {"pipeline_runs", "raw_artifacts", "kpi_values", "data_quality_results", "audit_ledger"}
FUNCTIONS = {"record_pipeline_run", "verify_audit_chain", "run_digest", "told", "ledger_hash"}
VERBS = {
    "SELECT": "select * from analytics.{table}",
    "INSERT": "insert into analytics.{table} default values",
    "UPDATE": "update analytics.{table} set {column} = {column}",
    "DELETE": "delete from analytics.{table}",
    "TRUNCATE": "truncate analytics.{table} cascade",
}
REFUSED = "42501"
RECORD = "select analytics.record_pipeline_run(%s)"

FIRST_COLUMN_OF_EACH_TABLE = """
select c.relname, a.attname
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
 where c.relnamespace = 'analytics'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
"""
ARGUMENTS_OF_EACH_FUNCTION = """
select proname, array(select format_type(type, null) from unnest(proargtypes) type)
  from pg_proc where pronamespace = 'analytics'::regnamespace
"""
# An empty ACL means the default one, which for a function lets PUBLIC execute it.
GRANTS = """
with thing as (
    select 'schema' as kind, nspname as name, nspowner as owner,
           coalesce(nspacl, acldefault('n', nspowner)) as acl
      from pg_namespace where nspname = 'analytics'
    union all
    select 'relation', relname, relowner, coalesce(relacl, acldefault('r', relowner))
      from pg_class where relnamespace = 'analytics'::regnamespace and relkind <> 'i'
    union all
    select 'column', attname, null, attacl
      from pg_attribute join pg_class c on c.oid = attrelid
     where relnamespace = 'analytics'::regnamespace and attacl is not null
    union all
    select 'function', proname, proowner, coalesce(proacl, acldefault('f', proowner))
      from pg_proc where pronamespace = 'analytics'::regnamespace
)
select kind, name, case grantee when 0 then 'public' else grantee::regrole::text end, privilege_type
  from thing, aclexplode(acl)
 where grantee is distinct from owner
"""


@pytest.fixture(scope="module")
def filled(databases):
    """A store with one run, for tests that roll back all they do."""
    with databases.migrated() as database:
        database.rows("app", RECORD, Jsonb(payload(1)))
        yield database


def attempt(connection, statement):
    """What came of it, undone: the rows it met, or the code of its refusal."""
    try:
        with connection.transaction(force_rollback=True):
            return connection.execute(statement).rowcount
    except psycopg.Error as error:
        return error.sqlstate


def try_every_verb(connection, tables):
    return {
        (table, verb): attempt(
            connection,
            sql.SQL(text).format(table=sql.Identifier(table), column=sql.Identifier(column)),
        )
        for table, column in tables
        for verb, text in VERBS.items()
    }


def call_every_function(connection, functions):
    return {
        name: attempt(
            connection,
            sql.SQL("select analytics.{}({})").format(
                sql.Identifier(name), sql.SQL(", ".join(f"null::{kind}" for kind in arguments))
            ),
        )
        for name, arguments in functions
    }


def test_the_tables_and_functions_are_those_that_the_rules_below_speak_of(filled):
    tables = {name for name, _ in filled.rows("owner", FIRST_COLUMN_OF_EACH_TABLE)}
    functions = {name for name, _ in filled.rows("owner", ARGUMENTS_OF_EACH_FUNCTION)}

    assert tables == TABLES
    assert functions == FUNCTIONS | {"refuse_change"}


@pytest.mark.parametrize("role", API_ROLES)
def test_no_role_may_do_anything_to_a_table_but_the_service_role_read_it(filled, role):
    tables = filled.rows("owner", FIRST_COLUMN_OF_EACH_TABLE)

    with psycopg.connect(filled.url(role)) as connection:
        came = try_every_verb(connection, tables)

    allowed = {key for key, answer in came.items() if answer != REFUSED}
    reads = {(table, "SELECT") for table in TABLES}
    assert len(came) == 25
    assert allowed == (reads if role == "service_role" else set())
    assert all(came[key] > 0 for key in allowed)  # rows, not an empty answer


@pytest.mark.parametrize("role", API_ROLES)
def test_no_role_may_call_a_function_but_the_service_role_the_four_of_the_api(filled, role):
    functions = filled.rows("owner", ARGUMENTS_OF_EACH_FUNCTION)

    with psycopg.connect(filled.url(role)) as connection:
        came = call_every_function(connection, functions)

    allowed = {name for name, answer in came.items() if answer != REFUSED}
    assert allowed == (FUNCTIONS if role == "service_role" else set())


def test_every_grant_in_the_schema_is_one_of_these(filled):
    grants = set(filled.rows("owner", GRANTS))

    assert grants == {
        ("schema", "analytics", "service_role", "USAGE"),
        *(("relation", table, "service_role", "SELECT") for table in TABLES),
        *(("function", name, "service_role", "EXECUTE") for name in FUNCTIONS),
    }


def test_a_function_of_a_later_migration_that_forgets_to_revoke_is_found(database):
    database.rows("owner", "create function analytics.planted() returns int return 1")

    assert ("function", "planted", "public", "EXECUTE") in database.rows("owner", GRANTS)


def test_an_accidental_grant_reveals_no_row_and_changes_none(database):
    database.rows("app", RECORD, Jsonb(payload(1)))
    database.rows("owner", "grant usage on schema analytics to anon")
    database.rows("owner", "grant all on all tables in schema analytics to anon")

    with psycopg.connect(database.url("anon")) as connection:
        came = try_every_verb(connection, [("kpi_values", "run_id"), ("pipeline_runs", "run_id")])

    of_row_level_security = {"SELECT": 0, "INSERT": REFUSED, "UPDATE": 0, "DELETE": 0}
    of_the_trigger = {"TRUNCATE": "PT403"}
    assert came == {
        (table, verb): answer
        for table in ("kpi_values", "pipeline_runs")
        for verb, answer in (of_row_level_security | of_the_trigger).items()
    }


def test_what_is_stored_cannot_be_changed_by_the_owner_either(filled):
    tables = filled.rows("owner", FIRST_COLUMN_OF_EACH_TABLE)

    with psycopg.connect(filled.url("owner")) as connection:
        came = try_every_verb(connection, tables)

    for table in TABLES:
        changes = {came[table, verb] for verb in ("UPDATE", "DELETE", "TRUNCATE")}
        assert changes == {"PT403"}, table


@pytest.mark.parametrize("table", sorted(TABLES))
def test_a_login_that_is_a_mere_member_of_the_service_role_sees_every_row(filled, table):
    rows = VERBS["SELECT"].format(table=table)

    seen = filled.rows("app", rows)

    assert seen
    assert seen == filled.rows("owner", rows)


def test_that_login_does_not_bypass_row_level_security(filled):
    bypasses = "select rolbypassrls or rolsuper from pg_roles where rolname = current_user"

    assert filled.rows("app", bypasses) == [(False,)]


def test_the_migration_needs_no_superuser_and_no_extension(filled):
    owner = "select rolsuper from pg_roles where rolname = current_user"
    owners = """
        select distinct relowner::regrole = current_user::regrole from pg_class
         where relnamespace = 'analytics'::regnamespace
    """

    assert filled.rows("owner", owner) == [(False,)]
    assert filled.rows("owner", owners) == [(True,)]
    assert filled.rows("owner", "select extname from pg_extension") == [("plpgsql",)]


def test_no_function_can_be_led_astray_by_a_search_path(filled):
    query = """
        select proname, prosecdef, proconfig::text from pg_proc
         where pronamespace = 'analytics'::regnamespace
    """
    functions = filled.rows("owner", query)

    assert {name for name, definer, _ in functions if definer} == {"record_pipeline_run"}
    assert [name for name, _, settings in functions if "search_path=" not in settings] == []


def test_row_level_security_is_on_for_every_table(filled):
    unprotected = """
        select relname from pg_class
         where relnamespace = 'analytics'::regnamespace and relkind = 'r' and not relrowsecurity
    """

    assert filled.rows("owner", unprotected) == []


TAKE_OVER = """
create function pg_temp.evil(v pg_catalog.jsonb) returns boolean language plpgsql as $$
begin
  if current_user <> session_user then
    execute 'grant all on all tables in schema analytics to service_role';
  end if;
  return true;
end $$;
create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.evil(value));
"""


def test_a_type_of_the_callers_own_is_never_taken_for_ours(database):
    with psycopg.connect(database.url("app"), autocommit=True) as connection:
        connection.execute(TAKE_OVER)
        connection.execute(RECORD, [Jsonb(payload(1))])

        may = "select has_table_privilege('analytics.pipeline_runs', 'UPDATE')"
        assert connection.execute(may).fetchone() == (False,)
