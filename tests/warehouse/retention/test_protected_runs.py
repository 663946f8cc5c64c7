"""No history of runs makes retention name one that must stay."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from warehouse.retention.runs import KnownRun, protect

DAY_0 = date(2020, 1, 1)
SEALED = datetime(2020, 1, 2, tzinfo=UTC)


@st.composite
def histories(draw):
    """A book's runs in their order, several a day perhaps, some taken back, one served or none."""
    gaps = draw(st.lists(st.integers(0, 40), max_size=40))
    day, runs = DAY_0, []
    for number, gap in enumerate(gaps):
        day += timedelta(days=gap)
        runs.append(KnownRun(f"{day}-{number:08}", day, SEALED, draw(st.booleans())))
    served = draw(st.sampled_from([None, "gone", *(run.name for run in runs)]))
    return runs, served


@given(histories(), st.integers(0, 9))
def test_no_history_lets_a_run_go_that_must_stay(history, predecessors):
    runs, served = history
    names = [run.name for run in runs]

    may_go = set(names) - set(protect(runs, served, predecessors))

    place = names.index(served) if served in names else len(names)
    assert served not in may_go
    assert not may_go & set(names[place + 1 :])
    assert not may_go & set(names[:place][::-1][:predecessors])
    standing = [run.name for run in runs[:place] if not run.is_withdrawn]
    assert not may_go & set(standing[::-1][:predecessors])  # what a rollback can serve
    for month in {(run.as_of.year, run.as_of.month) for run in runs}:
        of_month = [run for run in runs if (run.as_of.year, run.as_of.month) == month]
        assert of_month[-1].name not in may_go
        standing = [run.name for run in of_month if not run.is_withdrawn]
        assert standing[-1:] == [] or standing[-1] not in may_go


def test_all_else_may_go():
    days = [date(2020, 1, 10) + timedelta(days=n) for n in range(15)]  # the 10th to the 24th
    runs = [KnownRun(f"{day}-a", day, SEALED) for day in days]

    why = protect(runs, "2020-01-24-a", 7)

    # the served one of the 24th, and the 17th to the 23rd before it
    assert sorted(why) == [f"2020-01-{day}-a" for day in range(17, 25)]
    assert why["2020-01-24-a"] == "it is served"
    assert why["2020-01-17-a"] == "it is one of the 7 before the served one"
