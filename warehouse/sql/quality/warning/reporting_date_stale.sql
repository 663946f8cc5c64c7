-- reporting_date_stale: a tape whose own last day is more than $quiet_ledger_days before $as_of
-- grain:   one tape
-- reads:   nothing but $last_date, the last reporting date up to the day the tape came
-- returns: one row when it is; it is of no loan
-- source:  setting windows.quiet_ledger_days
select
    'loans.csv' as source_file,
    cast(null as bigint) as source_row,
    cast(null as varchar) as loan_id,
    'last reporting date ' || cast($last_date as date) || ', '
    || date_diff('day', cast($last_date as date), cast($as_of as date))
    || ' days before the as-of date' as detail
where date_diff('day', cast($last_date as date), cast($as_of as date)) > $quiet_ledger_days
