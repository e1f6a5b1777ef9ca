with checks_daily as (

    select * from {{ ref('int_checks_daily') }}

),

incidents as (

    select * from {{ ref('int_incidents_cut') }}

),

stage_balance as (

    select * from {{ ref('stage_balance') }}

),

pages as (

    select * from {{ ref('int_pages_witnessed') }}

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

probes as (

    select * from {{ ref('probes') }}

),

marketing_checks as (

    select * from {{ ref('int_marketing_checks') }}

),

visit_checks as (

    select * from {{ ref('int_visit_checks') }}

),

daily_checks as (

    select
        checks_daily.check_name,
        concat_ws(
            ' ', coalesce(cast(checks_daily.check_date as varchar), 'undated'),
            coalesce(checks_daily.app_id, case when checks_daily.platform is null then 'all messages' else '?' end),
            checks_daily.platform
        ) as scope,
        checks_daily.check_value,
        checks_daily.threshold,
        checks_daily.status,
        case
            when checks_daily.status = 'ok' then null
            when checks_daily.status <> 'unknown' then checks_daily.hint
            when checks_daily.check_name in ('event_loss', 'pixel_loss')
                then 'No pixel hits: land the pixel log of this day to know the loss'
            when checks_daily.check_name = 'message_gaps' then 'These messages carry no stream and index'
            when checks_daily.check_name = 'silence' then 'No baseline: it takes two days of history'
            else 'Nothing came that could be judged'
        end as hint,
        cast(
            coalesce(
                incidents.first_date,
                case when checks_daily.status = 'unknown' then checks_daily.check_date end
            ) as timestamp
        ) at time zone 'UTC' as first_seen,
        checks_daily.owner,
        checks_daily.check_date,
        checks_daily.app_id,
        checks_daily.platform
    from checks_daily
    left join incidents
        on
            checks_daily.status in ('warn', 'error')
            and checks_daily.check_name = incidents.check_name
            and checks_daily.app_id is not distinct from incidents.app_id
            and checks_daily.platform is not distinct from incidents.platform
            and checks_daily.check_date between incidents.first_date and incidents.last_date

),

-- Without a single row a check would be missing, and what is missing looks like health.
expected_checks as (

    select
        expected.check_name,
        expected.hint
    from (
        values
        ('event_loss', 'No web page was seen by tracker or pixel: loss is unknown'),
        ('pixel_loss', 'No web page was seen by tracker or pixel: loss is unknown'),
        ('access_loss', 'No day has both a web server''s log and tracker events'),
        ('message_gaps', 'No tracker event was received'),
        ('silence', 'No whole hour has been heard yet'),
        ('duplicate_share', 'No message was received'),
        ('late_share', 'No tracker event was received'),
        ('quarantine_share', 'No message was received'),
        ('unknown_schema', 'No message was received'),
        ('malformed_keys', 'No message was received'),
        ('stage_balance', 'Nothing has come in')
    ) as expected (check_name, hint)

),

nothing_seen as (

    select
        expected_checks.check_name,
        'all' as scope,
        cast(null as double) as check_value,
        cast(null as double) as threshold,
        'unknown' as status,
        expected_checks.hint
    from expected_checks
    where
        expected_checks.check_name not in (select daily_checks.check_name from daily_checks)
        and (expected_checks.check_name <> 'stage_balance' or not exists (select 1 from stage_balance))

),

balance_checks as (

    select
        'stage_balance' as check_name,
        stage as scope,
        cast(sum(abs(balance)) as double) as check_value,
        cast(0 as double) as threshold,
        case when sum(abs(balance)) > 0 then 'error' else 'ok' end as status,
        case
            when sum(abs(balance)) > 0
                then
                    'At ' || stage || ' ' || any_value(unit) || ' went missing or came twice, first on '
                    || coalesce(cast(min(date) filter (where balance <> 0) as varchar), 'an unknown day')
                    || ': see quality.stage_balance'
        end as hint
    from stage_balance
    group by stage

),

-- Where tracker and pixel name different platforms the hit's counts: many of them are somebody's mistake.
pixel_checks as (

    select
        'pixel_platform' as check_name,
        'pixel hits' as scope,
        cast(count(*) filter (where is_platform_disputed) as double) as check_value,
        cast(0 as double) as threshold,
        case
            when count(*) = 0 then 'unknown'
            when count(*) filter (where is_platform_disputed) > 0.01 * count(*) then 'warn'
            else 'ok'
        end as status,
        case
            when count(*) = 0 then 'No page was seen by tracker and pixel'
            when count(*) filter (where is_platform_disputed) > 0.01 * count(*)
                then 'Tracker and pixel name different platforms for a page: the hit''s counts'
        end as hint
    from pages
    where
        is_seen_by_pixel
        and is_seen_by_event

),

ledger_totals as (

    select
        count(*) as file_count,
        count(*) filter (where balance <> 0) as unbalanced_count,
        count(*) filter (where landing_status in ('truncated', 'unreadable', 'bomb')) as refused_count,
        count(*) filter (where landing_status = 'ignored' and is_unread) as ignored_count,
        array_to_string(
            list_sort(list(source_file) filter (where landing_status = 'ignored' and is_unread))[1:3], ', '
        ) as ignored_files,
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
        cast(refused_count + growing_count + ignored_count as double) as check_value,
        cast(0 as double) as threshold,
        case
            when file_count = 0 then 'unknown'
            when refused_count > 0 then 'error'
            when growing_count + ignored_count > 0 then 'warn'
            else 'ok'
        end as status,
        case
            when file_count = 0 then 'No file has been landed'
            when refused_count > 0 then 'Files were cut short or refused: see quality.ledger.landing_status'
            when growing_count > 0 then 'Files grew while they were read; the next run reads them again'
            when ignored_count > 0 then 'Not read: ' || ignored_files || '; quality.ledger.landing_detail says why'
        end as hint
    from ledger_totals

),

-- The latest run speaks: one that came through whole says that the way is open again.
latest_probe as (

    select *
    from probes
    qualify
        dense_rank() over (
            order by sent_at desc, run_id desc, run_kinds desc
        ) = 1

),

probe_checks as (

    select
        'probe' as check_name,
        coalesce('run ' || any_value(run_id), 'all') as scope,
        cast(case when count(*) > 0 then count(*) filter (where status in ('lost', 'changed')) end as double)
            as check_value,
        cast(0 as double) as threshold,
        case
            when count(*) = 0 then 'unknown'
            when count(*) filter (where status in ('lost', 'changed')) > 0 then 'error'
            when count(*) filter (where status = 'late') > 0 then 'warn'
            else 'ok'
        end as status,
        case
            when count(*) = 0 then 'No probe has been sent: python -m etl probe'
            when count(*) filter (where status <> 'found') > 0
                then
                    'See quality.probes: '
                    || string_agg(kind || ' ' || status, ', ' order by message_number)
                    filter (where status <> 'found')
        end as hint
    from latest_probe

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

    select * from nothing_seen
    union all
    select * from ledger_checks
    union all
    select * from balance_checks
    union all
    select * from pixel_checks
    union all
    select * from order_checks
    union all
    select * from probe_checks
    union all
    select * from marketing_checks
    union all
    select * from visit_checks

),

described as (

    select * from daily_checks
    union all
    select
        *,
        cast(null as timestamptz) as first_seen,
        'platform' as owner,
        cast(null as date) as check_date,
        cast(null as varchar) as app_id,
        cast(null as varchar) as platform
    from unioned

),

final as (

    select
        check_name as "check",
        scope,
        check_value as value,
        threshold,
        status,
        first_seen,
        owner,
        hint,
        check_date as date,
        app_id,
        platform
    from described

)

select * from final
