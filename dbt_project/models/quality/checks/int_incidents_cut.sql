with checks_daily as (

    select * from {{ ref('int_checks_daily') }}
    where
        status in ('warn', 'error')
        and check_date is not null

),

-- Days without a pause between them are one incident.
spaced as (

    select
        *,
        check_date - cast(
            row_number() over (partition by check_name, app_id, platform order by check_date) as integer
        ) as incident
    from checks_daily

),

incidents as (

    select
        check_name,
        app_id,
        platform,
        min(check_date) as first_date,
        max(check_date) as last_date,
        case when bool_or(status = 'error') then 'error' else 'warn' end as status,
        max(check_value) as worst_value,
        -- What the worst of its days broke, and of these the last says what to do.
        arg_max(case status when 'error' then error else warn end, (status = 'error', check_date)) as threshold,
        arg_max(owner, (status = 'error', check_date)) as owner,
        arg_max(hint, (status = 'error', check_date)) as hint
    from spaced
    group by check_name, app_id, platform, incident

)

select * from incidents
