-- macros:  what a cell must look like before it is cast, and what is wrong when it does not
-- grain:   one call, one cell of a tape read as text
-- reads:   nothing
-- returns: number_state 0 = a number of cents, 1 = one with a longer tail (rounded to cents),
--          2 = missing, 3 = no number; *_fault gives '<column>:<CODE>', NULL when the cell is good;
--          pseudonym = first 128 bits of HMAC-SHA256, the key given as its padded blocks (RFC 2104)
-- source:  TRY_CAST alone takes '1_000', ' 12 ', '0x1F', 'infinity' and 'epoch' for values
-- noqa: disable=LT02
create or replace macro number_state(cell) as
    case
        when cell = '0.0' then 0 -- half of all money cells: no need to match it
        when regexp_full_match(cell, '-?[0-9]{1,12}(\.[0-9]{1,2})?') then 0
        when regexp_full_match(cell, '-?[0-9]{1,12}(\.[0-9]{1,20})?([eE]-[0-9]{1,2})?') then 1
        when cell is null then 2
        else 3
    end;
create or replace macro number_fault(state, label) as
    case when state = 2 then label || ':MISSING' when state = 3 then label || ':BAD_NUMBER' end;
create or replace macro is_day(cell) as regexp_full_match(cell, '20[0-9]{2}-[0-9]{2}-[0-9]{2}');
create or replace macro whole_fault(cell, label) as
    case
        when regexp_full_match(cell, '-?[0-9]{1,9}') then null
        when cell is null then label || ':MISSING'
        else label || ':BAD_NUMBER'
    end;
create or replace macro day_fault(cell, label) as
    case
        when is_day(cell)
            then case when try_cast(cell as date) is null then label || ':BAD_DATE' end
        when cell is null then label || ':MISSING'
        else label || ':BAD_DATE'
    end;
create or replace macro flag_fault(cell, label) as
    case when cell in ('true', 'false') then null else label || ':BAD_FLAG' end;
create or replace macro text_fault(cell, label, longest) as
    case when strlen(cell) > longest then label || ':TOO_LONG' end;
create or replace macro total_fault(cell, label) as
    case
        when regexp_matches(cell, '(?i)^\s*(gran |grand |sub[ -]?)?total(es)?\b')
            then label || ':TOTAL_ROW'
    end;
create or replace macro dpd_fault(cell, label) as
    case when try_cast(cell as integer) not between 0 and 36500 then label || ':BAD_DPD' end;
create or replace macro label(cell) as case when strlen(cell) <= 64 then cell end; -- no free text
create or replace macro currency_fault(cell, label, wanted) as
    case when cell = wanted then null else label || ':OTHER_CURRENCY' end;
create or replace macro money(cell) as try_cast(cell as decimal(18, 2));
create or replace macro pseudonym(identifier, hmac_inner, hmac_outer) as
    left(sha256(hmac_outer || from_hex(sha256(hmac_inner || encode(identifier)))), 32);
