-- originations: the principal of each loan disbursed in the collection window
-- grain:   one loan disbursed from $window_start to $as_of
-- reads:   book
-- returns: numerator in money, adds up to that of sql/kpi/originations.sql; no denominator
-- source:  the KPI's own SQL
select
    loan_key,
    disbursed_principal as numerator,
    cast(null as decimal(18, 2)) as denominator
from book
where disburse_date >= $window_start
