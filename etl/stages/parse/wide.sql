-- What is written of valid messages: their wide rows, with what their URLs and user agent tell, and their keys.
--
-- Takes: valid (the rows of decoded to write), urls, agents, places (the countries of addresses).
-- Variables: bot_platforms (those on which a visitor can be a bot).
-- Gives: wide (the columns of the dataset messages), keyed (those of the dataset keys).

create or replace temp view wide as
with told as (
    select
        valid.* replace (coalesce(valid.country, places.country) as country),
        pages.url_host,
        pages.url_path,
        pages.url_domain,
        pages.utm_source,
        pages.utm_medium,
        pages.utm_campaign,
        pages.utm_term,
        pages.utm_content,
        pages.click_ids,
        referrers.url_host as referrer_host,
        referrers.url_domain as referrer_domain,
        agents.browser,
        agents.browser_version,
        agents.os,
        agents.os_version,
        agents.device,
        agents.is_touch,
        agents.ua_bot_reason as agent_bot_reason
    from valid
    left join urls as pages on valid.url = pages.url
    left join urls as referrers on valid.referrer = referrers.url
    left join places on valid.ip = places.ip
    left join agents on valid.user_agent is not distinct from agents.user_agent
),

placed as (
    select
        * replace (
            case
                when sent_platform = 'web' and is_touch then 'mobile_web'
                when sent_platform = 'mob' and (os = 'iOS' or regexp_matches(user_agent, 'Darwin|CFNetwork|iOS'))
                    then 'ios'
                else platform
            end as platform
        )
    from told
)

select
    * replace (
        case when schema = 'page_view' then utm_source end as utm_source,
        case when schema = 'page_view' then utm_medium end as utm_medium,
        case when schema = 'page_view' then utm_campaign end as utm_campaign,
        case when schema = 'page_view' then utm_term end as utm_term,
        case when schema = 'page_view' then utm_content end as utm_content,
        case when schema = 'page_view' then click_ids end as click_ids
    ),
    -- A server that does not write who reads says nothing of bots.
    case
        when not is_agent_unknown and list_contains(getvariable('bot_platforms'), platform) then agent_bot_reason
    end as ua_bot_reason,
    make_timestamptz(created_us) as created_at,
    make_timestamptz(sent_us) as sent_at,
    make_timestamptz(received_us) as received_at,
    make_timestamptz(event_us) as event_at,
    (line_number << 24) | position as message_ref
from placed;

create or replace temp view keyed as
select -- noqa: ST06
    cast(md5_number_lower(event_id) >> 1 as bigint) as id_key,
    case
        when schema = 'page_view'
            then cast(md5_number_lower(coalesce(visitor_id, '') || chr(10) || page_id) >> 1 as bigint)
    end as page_key,
    case
        when schema = 'page_view' and document_key is not null
            then cast(md5_number_lower(
                coalesce(visitor_id, user_agent, '') || chr(10) || document_key
            ) >> 1 as bigint)
    end as document_key,
    received_us,
    file_id,
    (line_number << 24) | position as message_ref,
    cast(make_timestamp(event_us) as date) as event_date
from valid;
