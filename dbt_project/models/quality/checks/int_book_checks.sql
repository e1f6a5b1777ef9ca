{{ config(materialized='ephemeral') }}

with stage_balance as (

    select * from {{ ref('stage_balance') }}

),

ledger as (

    select * from {{ ref('ledger') }}

),

-- Of files that are not read three are named: those that were refused first.
ledger_named as (

    select
        *,
        status = 'lost' or (is_unread and status not in ('growing', 'ignored')) as is_refused,
        row_number() over (
            partition by is_unread or status = 'lost'
            order by status = 'growing', status = 'ignored', source_file
        ) as file_rank
    from ledger

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

ledger_totals as (

    select
        count(*) as file_count,
        count(*) filter (where balance <> 0) as unbalanced_count,
        count(*) filter (where is_refused) as refused_count,
        count(*) filter (where is_unread and status = 'ignored') as ignored_count,
        count(*) filter (where status = 'growing') as growing_count,
        string_agg(
            source_file || coalesce(': ' || detail, ''), '; ' order by file_rank
        ) filter (where file_rank <= 3 and (is_refused or (is_unread and status = 'ignored'))) as named,
        sum(lines) as line_count,
        sum(bad_lines) as bad_line_count
    from ledger_named

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
        cast(null as varchar) as hint
    from ledger_totals
    union all
    select
        'files_landed' as check_name,
        'all files' as scope,
        cast(refused_count + ignored_count + growing_count as double) as check_value,
        cast(0 as double) as threshold,
        case
            when file_count = 0 then 'unknown'
            when refused_count > 0 then 'error'
            when ignored_count + growing_count > 0 then 'warn'
            else 'ok'
        end as status,
        case
            when refused_count + ignored_count = 0 and growing_count > 0
                then 'Files grew while they were read; the next run reads them again'
            when refused_count > 0
                then
                    'Cut short or refused: ' || named
                    || '; of what is no more in the inbox: python -m etl withdraw'
            when ignored_count > 0 then 'Not read: ' || named
        end as hint
    from ledger_totals

),

-- The first three files are named.
names_reused as (

    select
        source_file,
        row_number() over (order by source_file) as file_rank
    from (
        select distinct source_file
        from {{ ref('stg_lake__files') }}
        where is_left_behind
    )

),

-- The first three files are named, each with the first of its lines.
strays_named as (

    select
        line_count,
        case
            when row_number() over (order by source_file, line_number) <= 3
                then source_file || ' line ' || line_number || ' (' || received_date || ')'
        end as place
    from {{ ref('stg_lake__strays') }}

),

oddities as (

    select
        'file_name_reused' as check_name,
        count(*) as odd_count,
        'Names were given to another content, and both count: '
        || string_agg(source_file, ', ' order by source_file) filter (where file_rank <= 3)
        || '; if the former was wrong: python -m etl withdraw' as hint
    from names_reused
    union all
    select
        'stray_days' as check_name,
        coalesce(sum(line_count), 0) as odd_count,
        'Lines say that they were received on days that stand alone; their events are excluded: '
        || string_agg(place, ', ' order by place) as hint
    from strays_named

),

-- What is odd about files may be meant: it warns.
oddity_checks as (

    select
        oddities.check_name,
        'all files' as scope,
        cast(oddities.odd_count as double) as check_value,
        cast(0 as double) as threshold,
        case
            when ledger_totals.file_count = 0 then 'unknown'
            when oddities.odd_count > 0 then 'warn'
            else 'ok'
        end as status,
        oddities.hint
    from oddities
    cross join ledger_totals

),

checks as (

    select * from balance_checks
    union all
    select * from oddity_checks
    union all
    select * from ledger_checks

)

select * from checks
