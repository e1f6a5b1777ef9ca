{{ config(meta={'sealed_by': 'received_at'}) }}

with accepted as (

    select * from {{ ref('int_probe_messages') }}

),

page_views as (

    select event_id from {{ ref('page_views') }}
    where app_id = '{{ var("probe_app_id") }}'

),

quarantine as (

    select * from {{ ref('stg_lake__quarantine') }}

),

pixel_hits as (

    select * from {{ ref('stg_lake__pixel_hits') }}
    where app_id = '{{ var("probe_app_id") }}'

),

-- A page view is only found when its mart has it.
heard_accepted as (

    select
        accepted.event_id as probe_id,
        case
            when accepted.schema_name = 'page_view' and page_views.event_id is null then 'event without page view'
            else 'accepted'
        end as outcome,
        accepted.content_digest,
        accepted.received_at
    from accepted
    left join page_views on accepted.event_id = page_views.event_id

),

heard_refused as (

    select
        event_id as probe_id,
        reason as outcome,
        cast(null as varchar) as content_digest,
        received_at
    from quarantine
    where starts_with(event_id, 'bhprobe.')

),

heard_hits as (

    select
        page_id as probe_id,
        'hit' as outcome,
        md5(concat_ws(
            chr(10), app_id, coalesce(platform, ''), coalesce(visitor_id, ''), coalesce(user_agent, '')
        )) as content_digest,
        hit_at as received_at
    from pixel_hits
    where starts_with(page_id, 'bhprobe.')

),

heard as (

    select * from heard_accepted
    union all
    select * from heard_refused
    union all
    select * from heard_hits

),

-- Its name says all that is known of a probe's message: when it was sent, which of which it is, and what it held.
named as (

    select
        outcome,
        content_digest,
        received_at,
        regexp_extract(
            probe_id,
            '^bhprobe\.([0-9]{1,14})-([0-9a-f]{8})\.([0-9]{1,2})\.([a-h]{1,40})\.([0-9a-f]{32})$',
            ['sent_ms', 'salt', 'number', 'kinds', 'digest']
        ) as said
    from heard

),

read_names as (

    select
        named.outcome,
        named.content_digest,
        named.received_at,
        named.said.kinds,
        named.said.digest,
        cast(named.said.number as integer) as message_number,
        named.said.sent_ms || '-' || named.said.salt as run_id
    from named
    where named.said.salt <> ''

)

select * from read_names
