"""The loans that the tapes of these tests are made of, and the day they are valued on."""

AS_OF = "2025-12-26"
# The 30 days that end on AS_OF begin on FIRST_DAY.
FIRST_DAY, DAY_BEFORE = "2025-11-27", "2025-11-26"


def on_time(tape, loan_id="on time", principal=1000, **also):
    """Add a loan of a year that is not due before 2026."""
    return tape.loan(loan_id, disbursed="2025-01-02", principal=principal, due="2026-01-02", **also)


def late(tape, loan_id, principal, due, **also):
    """Add a loan of 2024 that is due on one day, or in instalments."""
    return tape.loan(loan_id, disbursed="2024-12-01", principal=principal, due=due, **also)
