"""Terms of a loan that cannot be, or are odd."""

from tests.warehouse.quality.tape_by_hand import (
    LOANS,
    bad,
    good,
    priced,
)

TERMS = [
    bad(
        "principal_not_positive",
        "a principal of 0",
        priced(disburse_principal="0.00"),
        (LOANS, 1, "L1", "principal 0.00"),
    ),
    bad(
        "principal_not_positive",
        "a principal below 0",
        priced(disburse_principal="-100.00"),
        (LOANS, 1, "L1", "principal -100.00"),
    ),
    good("principal_not_positive", "one cent", priced(disburse_principal="0.01")),
    bad(
        "maturity_not_after_disbursement",
        "a loan of no day",
        priced(maturity_date="2025-01-01"),
        (LOANS, 1, "L1", "disbursed 2025-01-01, matures 2025-01-01"),
    ),
    good("maturity_not_after_disbursement", "one day", priced(maturity_date="2025-01-02")),
    bad(
        "customer_id_pattern",
        "an id of another form",
        priced(customer_id="CLI1x"),
        (LOANS, 1, "L1", "customer_id is not of the usual form"),
    ),
    good("customer_id_pattern", "the usual form", priced(customer_id="CLI12")),
    good("customer_id_pattern", "no id is another check's", priced(customer_id=None)),
    bad("apr_out_of_range", "0 %", priced(interest_rate="0.0"), (LOANS, 1, "L1", "apr 0.000000")),
    bad(
        "apr_out_of_range",
        "above 200 %",
        priced(interest_rate="2.000001"),
        (LOANS, 1, "L1", "apr 2.000001"),
    ),
    good("apr_out_of_range", "1 %", priced(interest_rate="0.01")),
    good("apr_out_of_range", "200 %", priced(interest_rate="2.0")),
    bad("term_over_a_year", "366 days", priced(term="366"), (LOANS, 1, "L1", "term 366 days")),
    good("term_over_a_year", "365 days", priced(term="365")),
    bad(
        "complete_with_balance",
        "a cent left",
        priced(loan_status="Complete", outstanding_balance="0.01"),
        (LOANS, 1, "L1", "Complete with balance 0.01"),
    ),
    good(
        "complete_with_balance",
        "nothing left",
        priced(loan_status="Complete", outstanding_balance="0.00"),
    ),
    good("complete_with_balance", "a current loan owes", priced(outstanding_balance="60.00")),
    bad(
        "complete_with_dpd",
        "a day late",
        priced(loan_status="Complete", dpd="1"),
        (LOANS, 1, "L1", "Complete with dpd 1"),
    ),
    good("complete_with_dpd", "in time", priced(loan_status="Complete", dpd="0")),
    good("complete_with_dpd", "a current loan may be late", priced(dpd="1")),
    bad(
        "default_without_dpd",
        "in time",
        priced(loan_status="Default", dpd="0"),
        (LOANS, 1, "L1", "Default with dpd 0"),
    ),
    good("default_without_dpd", "a day late", priced(loan_status="Default", dpd="1")),
    good("default_without_dpd", "no status says nothing", priced(loan_status=None)),
]
