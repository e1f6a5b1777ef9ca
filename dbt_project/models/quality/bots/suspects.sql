with suspected as (

    select * from {{ ref('int_sessions_suspected') }}

),

sessions as (

    select
        session_id,
        is_bot,
        is_excluded
    from {{ ref('int_sessions_totalled') }}

),

bot_rules as (

    {{ all_bot_rules() }}

),

grouped as (

    select
        suspected.session_date,
        suspected.scope,
        suspected.suspect,
        suspected.rule_name,
        any_value(suspected.evidence) as evidence,
        count(*) as session_count,
        count(*) filter (where sessions.is_bot or sessions.is_excluded) as flagged_session_count,
        count(distinct suspected.visitor_id) as visitor_id_count,
        sum(suspected.page_view_count) as page_view_count,
        min(suspected.ip) as ip,
        min(suspected.user_agent) as user_agent
    from suspected
    inner join sessions on suspected.session_id = sessions.session_id
    group by all

),

final as (

    select
        grouped.session_date as date,
        grouped.scope,
        grouped.suspect,
        grouped.rule_name,
        bot_rules.about,
        grouped.evidence,
        grouped.session_count,
        grouped.flagged_session_count,
        grouped.visitor_id_count,
        cast(grouped.page_view_count as bigint) as page_view_count,
        grouped.ip,
        grouped.user_agent,
        bot_rules.is_flagging
    from grouped
    inner join bot_rules on grouped.rule_name = bot_rules.rule_name

)

select * from final
