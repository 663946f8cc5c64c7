"""The manifest says the same after any trip through the disk, and the run id follows its laws."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.errors import InternalError
from warehouse.identity import RunIdentity, sql_sha256
from warehouse.manifest import FileFacts, InputFacts, Manifest, parse_manifest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
json_objects = st.dictionaries(st.text(), json_values, max_size=3)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
counts = st.integers(0, 2**60)
identities = st.builds(
    RunIdentity,
    environment=st.sampled_from(["development", "staging", "production"]),
    portfolio=st.from_regex(r"[a-z0-9_-]{1,32}", fullmatch=True),
    as_of=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    input_sha256s=st.lists(hashes, max_size=4).map(tuple),
    contract_version=st.text(max_size=8),
    sql_sha256=hashes,
    settings=json_objects,
    pii_key_id=st.text(max_size=8),
)
manifests = st.builds(
    Manifest,
    identity=identities,
    inputs=st.lists(
        st.builds(InputFacts, st.text(min_size=1), hashes, counts, st.none() | counts), max_size=3
    ).map(tuple),
    ingestion=json_objects,
    kpis=json_objects,
    quality=json_objects,
    previous_run=st.none() | st.text(),
    prev_manifest_sha256=st.none() | hashes,
    supersedes=st.lists(hashes, max_size=3).map(tuple),
    code=st.text(),
    created_at=st.datetimes(timezones=st.just(UTC)),
    files=st.dictionaries(st.text(), st.builds(FileFacts, hashes, counts, st.none() | counts)),
)
ASKED = RunIdentity(
    environment="production",
    portfolio="cascade",
    as_of=date(2025, 12, 26),
    input_sha256s=("b" * 64, "a" * 64),
    contract_version="1",
    sql_sha256="c" * 64,
    settings={"par_90": {"warning": "0.03"}, "window_days": 30},
    pii_key_id="k1",
)


@settings(max_examples=60, deadline=None)
@given(manifests)
def test_a_manifest_survives_the_disk(manifest):
    assert parse_manifest(manifest.to_json(), Path("run")) == manifest


@settings(max_examples=60, deadline=None)
@given(identities, st.randoms())
def test_neither_the_order_of_inputs_nor_of_settings_is_part_of_the_question(asked, random):
    inputs, settings = list(asked.input_sha256s), list(asked.settings.items())
    random.shuffle(inputs)
    random.shuffle(settings)

    same = replace(asked, input_sha256s=tuple(inputs), settings=dict(settings))

    assert same.run_id == asked.run_id
    assert same.folder_name == asked.folder_name


@settings(max_examples=60, deadline=None)
@given(identities, identities)
def test_two_questions_share_an_id_only_when_they_are_the_same(one, other):
    assert (one.run_id == other.run_id) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"environment": "staging"},
        {"portfolio": "other"},
        {"as_of": date(2025, 12, 27)},
        {"input_sha256s": ("a" * 64,)},
        {"input_sha256s": ("a" * 64, "a" * 64, "b" * 64)},
        {"contract_version": "2"},
        {"sql_sha256": "d" * 64},
        {"settings": {"par_90": {"warning": "0.04"}, "window_days": 30}},
        {"pii_key_id": "k2"},
    ],
)
def test_whatever_can_change_a_value_changes_the_id(change):
    assert replace(ASKED, **change).run_id != ASKED.run_id


def test_the_recipe_of_the_id_never_changes_unnoticed():
    # a new recipe would publish every known tape again: change this only with the layout version
    assert ASKED.run_id == "51637d23-ee28-5d80-bad4-ae47ef03245c"
    assert ASKED.folder_name == "2025-12-26-51637d23"


def test_the_sql_hash_sees_every_name_and_byte(tmp_path):
    (tmp_path / "kpi").mkdir()
    (tmp_path / "kpi" / "par_90.sql").write_text("select 1")
    first = sql_sha256(tmp_path)

    (tmp_path / "kpi" / "par_90.sql").write_text("select 2")
    changed = sql_sha256(tmp_path)
    (tmp_path / "kpi" / "par_90.sql").write_text("select 1")
    again = sql_sha256(tmp_path)
    (tmp_path / "kpi" / "par_90.sql").rename(tmp_path / "par_90.sql")
    moved = sql_sha256(tmp_path)

    assert again == first
    assert len({first, changed, moved}) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), date(2025, 12, 26)])
def test_a_value_json_cannot_carry_never_reaches_a_manifest(value):
    manifest = Manifest(
        identity=ASKED,
        inputs=(),
        ingestion={},
        kpis={"par_90": value},
        quality={},
        previous_run=None,
        prev_manifest_sha256=None,
        supersedes=(),
        code="0.1.0",
        created_at=datetime(2025, 12, 27, tzinfo=UTC),
    )

    with pytest.raises(InternalError, match="cannot be written as JSON"):
        manifest.to_json()
