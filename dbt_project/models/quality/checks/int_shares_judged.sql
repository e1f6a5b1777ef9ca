{{ config(materialized='ephemeral') }}

with shares as (

    select * from {{ ref('int_shares_daily') }}
    where {{ is_no_probe('app_id') }}

),

thresholds as (

    select * from {{ ref('stg_lake__thresholds') }}

),

judged as (

    select
        shares.check_name,
        shares.check_date,
        shares.app_id,
        shares.platform,
        shares.part,
        shares.whole,
        shares.clump,
        {{ rate('shares.part', 'shares.whole') }} as check_value,
        thresholds.warn,
        thresholds.error,
        {{ threshold_status('shares.part', 'shares.whole', clump='coalesce(shares.clump, 1)') }} as status,
        thresholds.owner,
        thresholds.hint
    from shares
    left join thresholds
        on
            shares.check_name = thresholds.check_name
            and {{ threshold_applies('shares.app_id', 'shares.platform', 'shares.check_date') }}
    {{ narrowest_threshold(['shares.check_name', 'shares.check_date', 'shares.app_id', 'shares.platform']) }}

)

select * from judged
