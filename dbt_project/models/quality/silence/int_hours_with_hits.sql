{{ config(meta={'sealed_by': 'hour'}) }}

with pixel_hits as (

    select hit_at from {{ ref('stg_lake__pixel_hits') }}

),

final as (

    select distinct date_trunc('hour', hit_at) as hour
    from pixel_hits

)

select * from final
