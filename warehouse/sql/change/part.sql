-- part:    what each part adds to the move of a KPI
-- grain:   one part
-- reads:   loan_part
-- returns: how many loans, and their moves in the KPI's unit
-- source:  the KPI's loans, each in one part
select
    part,
    count(*) as loans,
    sum(numerator_move) as numerator_move,
    sum(denominator_move) as denominator_move
from loan_part
group by part
