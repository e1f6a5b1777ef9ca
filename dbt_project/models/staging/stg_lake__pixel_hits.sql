with source as (

    select * from {{ source('lake', 'pixel_hits') }}

),

renamed as (

    select
        hit_at,
        page_id,
        app_id,
        platform,
        visitor_id,
        page_url,
        user_agent,
        browser,
        ua_bot_reason,
        hit_date
    from source

)

select * from renamed
