"""The block is one that Prefect's own suite accepts, and says no secret aloud."""

import pytest
from prefect.testing.standard_test_suites import BlockStandardTestSuite

from blocks.cascade import CascadeBlockError, CascadeExport
from settings.load import load_settings

BASE = load_settings({"TAPEWATCH_PII_KEY": "k" * 16}).cascade


def block(**more):
    secrets = {"session_cookie": "session=canary", "export_url": "/x.zip?token=canary"}
    return CascadeExport(portfolio="default", **secrets, **more)


class TestCascadeExport(BlockStandardTestSuite):
    test_has_a_valid_image = None  # no logo: Prefect's pages would fetch it from elsewhere

    @pytest.fixture
    def block(self):
        return CascadeExport


def test_what_a_block_leaves_out_is_as_in_the_settings():
    loaded = block(max_bytes="1GB").cascade_settings(BASE)

    assert loaded.is_configured
    assert (loaded.max_bytes, loaded.max_tries) == ("1GB", BASE.max_tries)


def test_a_wrong_value_of_a_block_is_named_and_not_repeated():
    with pytest.raises(CascadeBlockError, match="has a wrong base_url") as raised:
        block(base_url="canary").cascade_settings(BASE)

    assert "canary" not in raised.value.line()


def test_a_block_masks_its_secrets():
    assert "canary" not in f"{block()!r} {block()} {block().model_dump()}"
