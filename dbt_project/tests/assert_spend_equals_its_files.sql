-- The invoices' total is what people check first: per day and currency it must be that of the files that hold.
-- A row is a day and currency whose cost, clicks or impressions differ; the file that holds is found another way here.
with rows_of_files as (

    select
        *,
        coalesce(currency, '{{ var("reporting_currency") }}') as cost_currency
    from {{ ref('stg_lake__spend') }}

),

corrected as (

    select rows_of_files.*
    from rows_of_files
    where not exists (
        select 1 from rows_of_files as later
        where
            later.source_file > rows_of_files.source_file
            and later.spend_date = rows_of_files.spend_date
            and {{ is_same_campaign('later', 'rows_of_files') }}
    )

),

expected as (

    select
        spend_date,
        cost_currency,
        sum(cost) as cost,
        coalesce(sum(clicks), 0) as clicks,
        coalesce(sum(impressions), 0) as impressions
    from corrected
    group by spend_date, cost_currency

),

spend as (

    select
        date as spend_date,
        currency as cost_currency,
        sum(cost) as cost,
        sum(clicks) as clicks,
        sum(impressions) as impressions
    from {{ ref('spend') }}
    group by date, currency

),

broken as (

    select
        expected.cost as cost_of_files,
        spend.cost,
        coalesce(expected.spend_date, spend.spend_date) as spend_date,
        coalesce(expected.cost_currency, spend.cost_currency) as cost_currency
    from expected
    full join spend
        on
            expected.spend_date = spend.spend_date
            and expected.cost_currency = spend.cost_currency
    where
        expected.cost is distinct from spend.cost
        or expected.clicks is distinct from spend.clicks
        or expected.impressions is distinct from spend.impressions

)

select * from broken
