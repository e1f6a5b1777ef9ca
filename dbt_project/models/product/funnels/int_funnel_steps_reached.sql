{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with recursive funnels as (

    select * from {{ ref('funnels') }}

),

events as (

    select
        session_id,
        session_date,
        event_at,
        schema_name,
        page_type,
        url_path,
        data_json
    from {{ ref('stg_lake__events') }}
    where
        session_id is not null
        and schema_name in (select funnels.schema_name from funnels)
        and {{ built_sessions() }}

),

candidates as (

    select
        funnels.funnel,
        funnels.step_number,
        funnels.field,
        funnels.pattern,
        events.session_id,
        events.session_date,
        events.event_at,
        case funnels.field
            when 'page_type' then events.page_type
            when 'url_path' then events.url_path
            else events.data_json ->> ('$.' || funnels.field)
        end as field_value
    from events
    inner join funnels on events.schema_name = funnels.schema_name

),

-- A pattern that is data is compiled anew for each row, so it is held against each value once; with `min`, or the
-- optimizer would do so before values are grouped.
fitting as (

    select
        pattern,
        field_value
    from candidates
    where field is not null
    group by pattern, field_value
    having regexp_full_match(min(field_value), pattern)

),

matched as (

    select
        candidates.funnel,
        candidates.step_number,
        candidates.session_id,
        candidates.session_date,
        candidates.event_at
    from candidates
    left join fitting
        on
            candidates.pattern = fitting.pattern
            and candidates.field_value = fitting.field_value
    where
        candidates.field is null
        or fitting.pattern is not null

),

-- A step is reached by the first event that fits it and does not lie before the step before.
reached as (

    select
        funnel,
        step_number,
        session_id,
        session_date,
        min(event_at) as reached_at
    from matched
    where step_number = 1
    group by all
    union all
    select
        matched.funnel,
        matched.step_number,
        matched.session_id,
        matched.session_date,
        min(matched.event_at) as reached_at
    from reached
    inner join matched
        on
            reached.funnel = matched.funnel
            and reached.session_id = matched.session_id
            and reached.step_number + 1 = matched.step_number
            and reached.reached_at <= matched.event_at
    group by all

)

select * from reached
