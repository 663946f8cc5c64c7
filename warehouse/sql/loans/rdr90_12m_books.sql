-- rdr90_12m_books: what each loan of a book a year old still owes 90 or more days late
-- grain:   one loan disbursed before $books_before
-- reads:   book
-- returns: numerator = balance at DPD >= 90, written-off included, denominator = principal
--          disbursed, in money; they add up to those of sql/kpi/rdr90_12m_books.sql
-- source:  the KPI's own SQL
select
    loan_key,
    case when days_past_due >= 90 then live_principal + written_off_principal else 0 end
        as numerator,
    disbursed_principal as denominator
from book
where disburse_date < $books_before
