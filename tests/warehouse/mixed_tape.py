"""A small tape on which every KPI has a value: loans of every age, defaults with recoveries."""

from tests.warehouse.tape_builder import Tape

AS_OF = "2025-12-10"


def mixed_tape(*, extra_payment: int = 0) -> Tape:
    """Return the tape; another `extra_payment` on its last day is another tape of that day."""
    tape = Tape()
    for number in range(6):  # default events of 2025-05-11: due 2025-02-10, 90 days later
        tape.loan(
            f"DEF-{number}",
            disbursed="2025-01-10",
            principal=1000 + number,
            due="2025-02-10",
            payments=[("2025-06-15", 900, 10)] if number < 4 else [],
            customer=f"CLI{number % 2}",
        )
    for days, due in {
        10: "2025-11-30",
        40: "2025-10-31",
        70: "2025-10-01",
        100: "2025-09-01",
    }.items():
        tape.loan(
            f"LATE-{days}", disbursed="2025-08-01", principal=1000 * days, due=due, customer="CLI7"
        )
    tape.loan("OLD", disbursed="2024-10-01", principal=500, due="2024-11-01", customer="CLI8")
    tape.loan("NEW", disbursed="2025-11-20", principal=70000, due="2025-12-20", customer="CLI9")
    tape.loan(
        "PAID",
        disbursed="2025-10-20",
        principal=8000,
        due=[("2025-11-20", 8000, 80, 8, 0, 11)],
        payments=[("2025-11-20", 8000, 80, 8, 0, 11)],
        customer="CLI9",
    )
    tape.loan(
        "MONTHLY",
        disbursed="2025-09-10",
        principal=4000,
        due=[(f"2025-{month}-10", 1000, 20) for month in (10, 11, 12)] + [("2026-01-10", 1000, 20)],
        payments=[
            ("2025-10-10", 1000, 20),
            ("2025-11-10", 1000, 20),
            (AS_OF, 1000 + extra_payment, 20),
        ],
        customer="CLI3",
    )
    return tape
