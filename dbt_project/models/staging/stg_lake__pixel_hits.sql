with source as (

    select * from {{ source('lake', 'pixel_hits') }}

),

strays as (

    select received_date from {{ source('lake', 'strays') }}
    where source = 'pixel'

),

renamed as (

    select
        source.hit_at,
        source.page_id,
        source.app_id,
        source.platform,
        source.visitor_id,
        source.page_url,
        source.url_host,
        source.url_path,
        source.utm_source,
        source.utm_medium,
        source.utm_campaign,
        source.click_ids,
        source.user_agent,
        source.browser,
        source.ua_bot_reason,
        source.hit_date
    from source
    anti join strays on source.hit_date = strays.received_date

)

select * from renamed
