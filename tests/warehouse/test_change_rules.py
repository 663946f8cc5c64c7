"""Which part a loan's move belongs to: one rule at a time, on two books of one loan a rule."""

from decimal import Decimal

import pytest

from tests.warehouse.two_books import BEFORE, Row, moved
from tests.warehouse.valued_tape import settings_for
from warehouse.masking import mask_id

PAID, ABSENT = {}, None


def live(late=0, owed=100):
    return {"live": owed, "late": late}


def lost(owed=100):
    return {"lost": owed, "late": 200}


def lent(principal):
    return {"disbursed": BEFORE, "principal": principal}


# how a loan stood, how it stands, and the part that is of a KPI; None: it moves nothing
OF_A_RATIO = {
    "late": (live(89), live(90), "new_delinquency"),
    "late though it paid": (live(89), live(90, owed=50), "new_delinquency"),
    "lent since and late already": (ABSENT, live(90), "new_delinquency"),
    "owed again and late": (PAID, live(90), "new_delinquency"),
    "caught up": (live(90), live(89), "cure"),
    "caught up and paid": (live(90), live(0, owed=50), "cure"),
    "late and paid": (live(90), live(91, owed=50), "payment"),
    "on time and paid": (live(0), live(1, owed=50), "payment"),
    "payment taken back": (live(0), live(0, owed=120), "payment"),
    "late and paid off": (live(120), PAID, "payoff"),
    "left out of the tape": (live(0), ABSENT, "payoff"),
    "written off": (live(180), lost(), "write_off"),
    "written off over many days": (live(0), lost(), "write_off"),
    "written off and late again": (lost(), live(95), "recovery"),
    "written off and on time": (lost(), live(0), "recovery"),
    "lent since": (ABSENT, live(0), "origination"),
    "owed again": (PAID, live(0), "reopening"),
    "a day later": (live(90), live(91), None),
    "written off and paid a part": (lost(), lost(50), None),
    "written off and paid": (lost(), PAID, None),
    "lent and written off since": (ABSENT, lost(), None),
    "paid and left out": (PAID, ABSENT, None),
}
OF_A_SUM = {
    "sum, lent since and late": ("outstanding", ABSENT, live(95), "origination"),
    "sum, owed again and late": ("outstanding", PAID, live(95), "reopening"),
    "sum, late and paid": ("outstanding", live(0), live(95, owed=50), "payment"),
    "sum, late and paid off": ("outstanding", live(95), PAID, "payoff"),
    "sum, written off": ("outstanding", live(95), lost(), "write_off"),
    "sum, live again": ("outstanding", lost(), live(95), "recovery"),
    "sum, late": ("outstanding", live(0), live(95), None),
    "count, paid off": ("active_loans", live(0), PAID, "payoff"),
    "count, lent since": ("active_loans", ABSENT, live(0), "origination"),
    "count, paid": ("active_loans", live(0), live(0, owed=50), None),
    "losses, written off": ("written_off", live(180), lost(), "write_off"),
    "losses, lent and lost since": ("written_off", ABSENT, lost(), "write_off"),
    "losses, owed again and lost": ("written_off", PAID, lost(), "write_off"),
    "losses, paid a part": ("written_off", lost(), lost(50), "recovery"),
    "losses, paid": ("written_off", lost(), PAID, "recovery"),
    "losses, live again": ("written_off", lost(), live(95), "recovery"),
    "lending, told otherwise": ("originations", lent(900), lent(950), "restatement"),
}
RULES = {name: ("par_90", *rule) for name, rule in OF_A_RATIO.items()} | OF_A_SUM


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """Return what moved between the two books that hold the loan of every rule."""
    root = tmp_path_factory.mktemp("rules")
    was = [Row(name, **stood) for name, (_, stood, *_) in RULES.items() if stood is not None]
    now = [Row(name, **stands) for name, (*_, stands, _) in RULES.items() if stands is not None]
    settings = settings_for(root)
    return settings.pii_key_bytes(), moved(was, now, root, settings)


@pytest.mark.parametrize("name", RULES)
def test_each_loan_is_in_the_one_part_of_what_happened_to_it(changes, name):
    key, found = changes
    kpi, *_, expected = RULES[name]

    parts = [
        part.name
        for part in found[kpi].parts
        if mask_id(key, name) in [loan.loan for loan in part.largest]
    ]

    assert parts == ([] if expected is None else [expected])


def test_the_parts_of_them_all_add_up(changes):
    for change in changes[1].values():
        assert sum(part.amount for part in change.parts) == (change.move or 0)


def test_equal_moves_are_shown_in_the_order_of_their_ids(tmp_path):
    settings = settings_for(tmp_path / "root")
    owing, paid = ([Row(name, live=owed) for name in "CAB"] for owed in (100, 0))
    base = Row("BASE", live=1)

    change = moved([base, *owing], [base, *paid], tmp_path, settings)["outstanding"]

    [payoff] = change.parts
    key = settings.pii_key_bytes()
    assert [loan.loan for loan in payoff.largest] == [mask_id(key, name) for name in "ABC"]


def test_the_loans_of_a_ratio_are_ranked_by_what_they_move_it(tmp_path):
    settings = settings_for(tmp_path / "root")
    kept = [Row("KEPT", live=600), Row("KEPT LATE", live=300, late=100)]
    paid = [Row("LATE", live=100, late=100), Row("ON TIME", live=1000)]

    change = moved([*kept, *paid], kept, tmp_path, settings)["par_90"]

    [payoff] = change.parts
    # r = 400 / 2000: (-100 + r x 100) / 900 = -0.088889, r x 1000 / 900 = 0.222222
    told = [(loan.loan, loan.amount) for loan in payoff.largest]
    key = settings.pii_key_bytes()
    assert told == [
        (mask_id(key, "ON TIME"), Decimal("0.222222")),
        (mask_id(key, "LATE"), Decimal("-0.088889")),
    ]
