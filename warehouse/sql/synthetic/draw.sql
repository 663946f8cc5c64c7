-- draw:    the disbursement day and the random draws of the loans $first_loan to $last_loan
-- grain:   one loan of $loans; loan is its number, in the order of disbursement
-- reads:   nothing but the parameters, so any range of loans comes out alone and again
-- returns: u_ in [0, 1), z_ standard normal; client, from a normal rank moved up by the spread of
--          loans per client (1.9): a loan meets a large client more often than a small one
-- source:  synthetic tape; disbursements by weekday Mon 17 Tue 13 Wed 17 Thu 18 Fri 32 Sat 3
with calendar as (

    select
        cast(unnest(generate_series($first_day, $last_day, interval 1 day)) as date)
            as disburse_date

),

weighed as (

    select
        disburse_date,
        [17, 13, 17, 18, 32, 3, 0][isodow(disburse_date)] as weight,
        cast(sum(weight) over (order by disburse_date) as bigint) as weight_so_far,
        cast(sum(weight) over () as bigint) as weight_in_all
    from calendar

),

numbered as (

    select
        disburse_date,
        unnest(range(
            greatest($first_loan, (weight_so_far - weight) * $loans // weight_in_all + 1),
            least($last_loan, weight_so_far * $loans // weight_in_all) + 1
        )) as loan
    from weighed

),

blocks as (

    select
        loan,
        disburse_date,
        block($seed, loan, 'client') as client_bits,
        block($seed, loan, 'amount') as amount,
        block($seed, loan, 'price') as price,
        block($seed, loan, 'course') as course
    from numbered

)

select
    loan,
    disburse_date,
    gauss(u(client_bits, 0), u(client_bits, 1)) + 1.9 as client_rank,
    case
        when client_rank < $large_client_rank then normal_share(client_rank)
        else 1 - (1 - normal_share($large_client_rank)) * u(client_bits, 2)
    end as client_quantile,
    1 + least(cast(floor(client_quantile * $clients) as bigint), $clients - 1) as client,
    u(client_bits, 3) as u_form,
    gauss(u(amount, 0), u(amount, 1)) as z_principal,
    gauss(u(amount, 2), u(amount, 3)) as z_term,
    gauss(u(price, 0), u(price, 1)) as z_apr,
    gauss(u(price, 2), u(price, 3)) as z_fees,
    u(course, 0) as u_default,
    u(course, 1) as u_defaults_from,
    u(course, 2) as u_weekday,
    u(course, 3) as u_cents_left
from blocks
