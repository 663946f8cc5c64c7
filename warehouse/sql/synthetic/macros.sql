-- macros:  draws without state: the same seed, loan and block give the same numbers for ever
-- grain:   one call, one draw
-- reads:   nothing
-- returns: u in [0, 1) from 32 of a block's 128 bits (parts 0 to 3); gauss is standard normal;
--          days_waited is exponential and whole; payday is a day of that week, never a Sunday
-- source:  synthetic tape; md5 because DuckDB's own hash may change between versions
-- noqa: disable=LT02
create or replace macro block(seed, loan, name) as
    md5_number(concat_ws(':', 3, seed, loan, name));  -- 3: of the recipes tried, the book nearest
create or replace macro u(bits, part) as
    cast((bits >> cast(32 * part as uhugeint)) & 4294967295 as double) / 4294967296;
create or replace macro gauss(u_one, u_two) as sqrt(-2 * ln(1 - u_one)) * cos(2 * pi() * u_two);
create or replace macro normal_share(x) as
    1 / (1 + exp(-0.07056 * x * x * x - 1.5976 * x));
create or replace macro days_waited(u_one, mean_days) as
    cast(floor(-mean_days * ln(1 - u_one)) as integer);
create or replace macro clip(low, x, high) as least(greatest(x, low), high);
create or replace macro payday(day, u_one) as
    cast(date_trunc('week', day) as date) + case
        when u_one < 0.21 then 0
        when u_one < 0.35 then 1
        when u_one < 0.47 then 2
        when u_one < 0.64 then 3
        when u_one < 0.96 then 4
        else 5
    end;
create or replace macro not_sunday(day) as day + case when isodow(day) = 7 then 1 else 0 end;
create or replace macro before_weekend(day) as
    day - cast(greatest(isodow(day) - 5, 0) as integer);
create or replace macro monthly_due(day, months) as
    before_weekend(cast(day + to_months(cast(months as integer)) as date));
create or replace macro up_to(cents, number, parts) as cents * number // parts;
create or replace macro money(cents) as cast(cast(cents as double) / 100 as varchar);
create or replace macro month_end(months) as
    last_day(make_date((months - 1) // 12, (months - 1) % 12 + 1, 1));
create or replace macro cents(cell) as cast(cell as decimal(18, 2));
create or replace macro plus(cell, amount) as
    cast(cast(cents(cell) + cents(amount) as double) as varchar);
create or replace macro days_after(cell, days) as cast(cast(cell as date) + days as varchar);
