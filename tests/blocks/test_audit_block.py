"""The audit store's block is one that Prefect's own suite accepts, and says no secret aloud."""

import pytest
from prefect.testing.standard_test_suites import BlockStandardTestSuite

from blocks.audit_store import AuditStore, AuditStoreBlockError
from settings.load import load_settings
from tests.supabase.payloads import payload

KEY = {"TAPEWATCH_PII_KEY": "k" * 16}
BASE = load_settings(KEY).audit


class TestAuditStore(BlockStandardTestSuite):
    test_has_a_valid_image = None  # no logo: Prefect's pages would fetch it from elsewhere

    @pytest.fixture
    def block(self):
        return AuditStore


def test_what_a_block_leaves_out_is_as_in_the_settings():
    block = AuditStore(url="https://x.example", service_role="canary")

    loaded = block.audit_settings(BASE)

    assert loaded.rest_key() == "canary"
    assert loaded.send_seconds == BASE.send_seconds


def test_where_a_block_leads_no_variable_leads_elsewhere():
    variables = {"SUPABASE_DB_URL": "postgresql://u:p@127.0.0.1/other"}
    base = load_settings(KEY | variables).audit

    loaded = AuditStore(url="https://x.example", service_role="canary").audit_settings(base)

    assert loaded.db_url is None


def test_a_wrong_value_of_a_block_is_named_and_not_repeated():
    with pytest.raises(AuditStoreBlockError, match="has a wrong db_url") as raised:
        AuditStore(db_url="canary").audit_settings(BASE)

    assert "canary" not in raised.value.line()


def test_a_block_masks_its_secrets():
    block = AuditStore(service_role="canary", db_url="postgresql://u:canary@h/d")

    assert "canary" not in f"{block!r} {block} {block.model_dump()}"


def test_a_block_opens_its_store(database):
    store = AuditStore(db_url=database.url("app")).store(BASE)

    assert store.record(payload(), 10)["created"] is True
