"""PostgREST's stand-in answers as the roles of a project: the way the app writes by default."""

import httpx
import pytest
from postgrest import APIError, SyncPostgrestClient

from tests.supabase.payloads import payload, run_id


@pytest.fixture
def api(rest):
    """Make PostgREST clients of this test's database."""
    with httpx.Client(timeout=60) as http:

        def client(key):
            return SyncPostgrestClient(
                f"{rest.url}/rest/v1", schema="analytics", headers={"apikey": key}, http_client=http
            )

        yield client


def record(client, sent):
    return client.rpc("record_pipeline_run", {"payload": sent}).execute().data


def test_the_secret_key_records_a_run_and_reads_it_back(api, rest):
    client = api(rest.secret_key)

    receipt = record(client, payload(1))

    assert (receipt["created"], receipt["ledger_seq"]) == (True, 1)
    assert rest.database.rows("app", "select run_id from analytics.pipeline_runs") == [(run_id(1),)]
    assert client.table("kpi_values").select("*", count="exact").execute().count == 3


def test_the_same_run_again_is_no_second_run(api, rest):
    client = api(rest.secret_key)
    first = record(client, payload(1))

    again = record(client, payload(1))

    assert again == first | {"created": False}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (payload(1, portfolio="another"), "PT409"),
        (payload(2, status="great"), "PT422"),
        ({"schema_version": 2, "run": {}}, "PT501"),
    ],
    ids=["other facts", "an unknown status", "an unknown version"],
)
def test_a_refusal_carries_its_code(api, rest, sent, code):
    client = api(rest.secret_key)
    record(client, payload(1))

    with pytest.raises(APIError) as refused:
        record(client, sent)

    assert refused.value.code == code


def test_the_secret_key_writes_no_table(api, rest):
    client = api(rest.secret_key)
    row = payload(1)["run"]

    for write in (
        client.table("pipeline_runs").insert(row),
        client.table("pipeline_runs").upsert(row),
        client.table("pipeline_runs").update({"status": "failed"}).eq("status", "success"),
        client.table("pipeline_runs").delete().eq("status", "success"),
    ):
        with pytest.raises(APIError) as refused:
            write.execute()
        assert refused.value.code == "42501"


def test_the_publishable_key_may_do_nothing(api, rest):
    client = api(rest.publishable_key)

    for asked in (
        client.table("pipeline_runs").select("*"),
        client.rpc("record_pipeline_run", {"payload": payload(1)}),
        client.rpc("verify_audit_chain", {}),
    ):
        with pytest.raises(APIError) as refused:
            asked.execute()
        assert refused.value.code == "42501"


def test_a_wrong_key_is_refused_without_a_code(api):
    with pytest.raises(APIError, match="Invalid API key") as refused:
        api("sb_secret_wrong").table("pipeline_runs").select("*").execute()

    assert refused.value.code is None


def test_the_stand_in_hands_out_no_grant(api, rest):
    grants = "select grantee, table_name, privilege_type from information_schema.table_privileges"
    before = set(rest.database.rows("superuser", grants))

    api(rest.secret_key).table("kpi_values").select("*").execute()

    assert set(rest.database.rows("superuser", grants)) == before
