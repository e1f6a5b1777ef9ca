with loss_hourly as (

    select * from {{ ref('loss_hourly') }}

),

ledger as (

    select * from {{ ref('ledger') }}

),

orders as (

    select * from {{ ref('int_orders_chosen') }}

),

order_events as (

    select * from {{ ref('int_order_events') }}

),

marketing_checks as (

    select * from {{ ref('int_marketing_checks') }}

),

visit_checks as (

    select * from {{ ref('int_visit_checks') }}

),

loss_by_day as (

    select
        {{ utc_date('hour') }} as loss_date,
        app_id,
        platform,
        sum(pixel_hits) as pixel_hits,
        sum(only_pixel) as only_pixel
    from loss_hourly
    group by all

),

loss_checks as (

    select
        'event_loss' as check_name,
        loss_date || ' ' || coalesce(app_id, '?') || ' ' || platform as scope,
        {{ rate('only_pixel', 'pixel_hits') }} as check_value,
        {{ var('loss_warn') }}::double as threshold,
        {{ loss_status('only_pixel', 'pixel_hits') }} as status,
        case {{ loss_status('only_pixel', 'pixel_hits') }}
            when 'unknown' then 'No pixel hits: land the pixel log of this day to know the loss'
            when 'ok' then null
            else 'Look at quality.loss_hourly for the hours; compare collector and pixel logs'
        end as hint
    from loss_by_day

),

-- Without a single web page nothing can be said of loss, and that is said.
nothing_seen as (

    select
        'event_loss' as check_name,
        'all' as scope,
        cast(null as double) as check_value,
        {{ var('loss_warn') }}::double as threshold,
        'unknown' as status,
        'No web page was seen by tracker or pixel: loss is unknown' as hint
    from loss_by_day
    having count(*) = 0

),

ledger_totals as (

    select
        count(*) as file_count,
        count(*) filter (where balance <> 0) as unbalanced_count,
        count(*) filter (where landing_status not in ('landed', 'growing')) as refused_count,
        count(*) filter (where landing_status = 'growing') as growing_count,
        sum(lines) as line_count,
        sum(bad_lines) as bad_line_count
    from ledger

),

ledger_checks as (

    select
        'ledger_balance' as check_name,
        'all files' as scope,
        cast(unbalanced_count as double) as check_value,
        cast(0 as double) as threshold,
        case
            when file_count = 0 then 'unknown'
            when unbalanced_count > 0 then 'error'
            else 'ok'
        end as status,
        case
            when file_count = 0 then 'No file has been landed'
            when unbalanced_count > 0 then 'Messages are unaccounted for: see quality.ledger where balance <> 0'
        end as hint
    from ledger_totals
    union all
    select
        'files_landed' as check_name,
        'all files' as scope,
        cast(refused_count + growing_count as double) as check_value,
        cast(0 as double) as threshold,
        case
            when file_count = 0 then 'unknown'
            when refused_count > 0 then 'error'
            when growing_count > 0 then 'warn'
            else 'ok'
        end as status,
        case
            when file_count = 0 then 'No file has been landed'
            when refused_count > 0 then 'Files were cut short or refused: see quality.ledger.landing_status'
            when growing_count > 0 then 'Files grew while they were read; the next run reads them again'
        end as hint
    from ledger_totals

),

order_checks as (

    select
        'currency_rates' as check_name,
        'orders' as scope,
        cast(count(*) filter (where revenue is not null and reporting_revenue is null) as double) as check_value,
        cast(0 as double) as threshold,
        case
            when count(*) filter (where revenue is not null and reporting_revenue is null) > 0 then 'error'
            else 'ok'
        end as status,
        case
            when count(*) filter (where revenue is not null and reporting_revenue is null) > 0
                then
                    'No rate to {{ var("reporting_currency") }} for '
                    || string_agg(distinct currency, ', ' order by currency)
                    filter (where revenue is not null and reporting_revenue is null)
                    || ': their revenue is not added; put rates into seeds/currency_rates.csv'
        end as hint
    from orders
    union all
    select
        'orders_with_id' as check_name,
        'order events' as scope,
        cast(count(*) filter (where order_id is null) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) filter (where order_id is null) > 0 then 'warn' else 'ok' end as status,
        case
            when count(*) filter (where order_id is null) > 0
                then 'Order events without an order_id cannot be told apart and are in no mart but core.events'
        end as hint
    from order_events
    union all
    select
        'orders_with_revenue' as check_name,
        'orders' as scope,
        cast(count(*) filter (where revenue is null) as double) as check_value,
        cast(0 as double) as threshold,
        case when count(*) filter (where revenue is null) > 0 then 'warn' else 'ok' end as status,
        case
            when count(*) filter (where revenue is null) > 0
                then 'Orders whose revenue is absent or no number count as orders without revenue'
        end as hint
    from orders

),

unioned as (

    select * from loss_checks
    union all
    select * from nothing_seen
    union all
    select * from ledger_checks
    union all
    select * from order_checks
    union all
    select * from marketing_checks
    union all
    select * from visit_checks

),

final as (

    select
        check_name as "check",
        scope,
        check_value as value,
        threshold,
        status,
        hint
    from unioned

)

select * from final
