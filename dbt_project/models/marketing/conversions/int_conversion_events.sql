{{ config(materialized='in_place_days', meta={'built_by': 'session_date', 'sealed_by': 'session_date'}) }}

with declared as (

    select * from {{ ref('stg_lake__conversions') }}

),

events as (

    select
        event_id,
        schema_name,
        event_at,
        visitor_id,
        user_id,
        session_id,
        session_date,
        app_id,
        platform,
        page_type,
        url,
        url_host,
        url_path,
        country,
        locale,
        data_json,
        is_access,
        coalesce(is_bot, false) as is_bot,
        coalesce(is_excluded, false) as is_excluded
    from {{ ref('stg_lake__events') }}
    where
        not coalesce(is_repeat, false)
        and schema_name in (select declared.schema_name from declared)
        and {{ built_sessions() }}

),

candidates as (

    select
        events.*,
        declared.conversion,
        declared.once_per,
        declared.conditions,
        declared.fixed_value,
        declared.value_field,
        declared.fixed_currency,
        declared.currency_field
    from events
    inner join declared on events.schema_name = declared.schema_name

),

unnested as (

    select
        *,
        unnest(conditions) as condition
    from candidates

),

tested as (

    select
        conversion,
        event_id,
        struct_extract(condition, 'operator') as tested_operator,
        struct_extract(condition, 'operand') as tested_operand,
        {{ event_field("struct_extract(condition, 'field')") }} as field_value
    from unnested

),

failed as (

    select distinct
        conversion,
        event_id
    from tested
    where not coalesce({{ condition_holds('field_value', 'tested_operator', 'tested_operand') }}, false)

),

fitting as (

    select
        candidates.*,
        {{ event_field('value_field') }} as value_text,
        {{ event_field('currency_field') }} as currency_text
    from candidates
    left join failed
        on
            candidates.conversion = failed.conversion
            and candidates.event_id = failed.event_id
    where failed.event_id is null

),

final as (

    select
        conversion,
        once_per,
        event_id,
        event_at,
        visitor_id,
        user_id,
        session_id,
        session_date,
        case
            when value_field is null then fixed_value
            else {{ bounded_money('try_cast(value_text as decimal(18, 4))') }}
        end as value,
        coalesce(fixed_currency, nullif(upper(trim(currency_text)), ''), '{{ var("reporting_currency") }}')
            as currency,
        coalesce(is_access, false) as is_access,
        is_bot,
        is_excluded
    from fitting

)

select * from final
