with spend as (

    select * from {{ ref('stg_lake__spend') }}

),

chosen as (

    select
        spend_date,
        source,
        medium,
        campaign,
        impressions,
        clicks,
        cost,
        coalesce(currency, '{{ var("reporting_currency") }}') as currency,
        source_file,
        line_number,
        file_id,
        source_file = max(source_file) over (
            partition by spend_date, lower(source), lower(medium), lower(campaign)
        ) as is_chosen
    from spend

)

select * from chosen
