-- Messages in the newest version, read into columns, their clock corrected; what looks wrong in any way is a suspect.
--
-- event_us is received - (sent - created) where both client times are there and in order, else received.
--
-- Takes: sent (see collector.py), seals (see decode.py of the stage parse); macros of macros.sql, and of the tracking
-- plan: read_planned, breaks_plan.
-- Gives: read_messages, one row a message, valid or not, and one a line or body that is none: reason, detail and
-- payload are those of refused lines, and null else; a bad line has no position; message, item, wrong and version_text
-- are kept of suspects only; is_nobody says that no id of any kind is used, may_be_nobody that there need be none;
-- content_key is the lower half of the MD5 of the message in the newest version, cut to 63 bits: equal texts have one;
-- where it differs who asks compares the texts.
-- $shape is what from_json reads of a message, $versions, $platforms and $schemas those that are known,
-- $max_message_bytes and $lateness_us what is too large and too late, $not_text and $not_a_number what is looked at
-- more closely, $deepest how many levels data may have.

create or replace temp table read_messages as
with read as (
    select
        *,
        try(from_json(message, $shape)) as fields
    from sent
),

named as (
    select
        file_id,
        source_file,
        line_number,
        request_id,
        line_reason,
        line_detail,
        payload,
        case when line_reason is null then cast(ordinal as integer) end as position,
        received_us,
        sent_us,
        ip,
        collector_host,
        user_agent,
        item,
        message,
        version_text,
        wrong,
        sent_platform,
        document_key,
        stream_number,
        previous_stream_id,
        query,
        privacy,
        blocked,
        coalesce(version_text = 'snowplow', false) as is_snowplow,
        coalesce(version_text in ('snowplow', 'export'), false) as is_foreign,
        coalesce(privacy = 'anonymous', false) as is_nobody,
        coalesce(privacy = 'anonymous', false) or coalesce(fields.anonymous, false) as may_be_nobody,
        fields.id as event_id,
        case when is_prefetched and fields.schema = 'page_view' then 'custom.prefetch' else fields.schema end as schema,
        fields.app_id,
        fields.platform,
        nullif(fields.tracker, '') as tracker,
        fields.stream_id,
        cast(fields.index as varchar) as index_text,
        iso_us(fields.created_at) as created_us,
        fields.visitor_id,
        nullif(fields.user_id, '') as user_id,
        fields.logged_in as is_logged_in,
        nullif(fields.page.id, '') as page_id,
        nullif(fields.page.type, '') as page_type,
        nullif(fields.page.url, '') as url,
        nullif(fields.page.referrer, '') as referrer,
        nullif(fields.page.referring_page_id, '') as referring_page_id,
        nullif(fields.page.referring_click_id, '') as referring_click_id,
        nullif(fields.page.navigation, '') as navigation,
        nullif(fields.country, '') as country,
        nullif(fields.locale, '') as locale,
        cast(fields.data as varchar) as data,
        read_planned(fields.schema, fields.data) as planned
    from read
),

timed as (
    select
        *,
        try_cast(index_text as bigint) as message_index,
        case when created_us <= sent_us then received_us - (sent_us - created_us) else received_us end as event_us
    from named
),

doubted as (
    select
        *,
        line_reason is null and (
            coalesce(not list_contains($versions, version_text) and not is_foreign, true)
            or strlen(item) > $max_message_bytes
            or wrong is not null
            or (created_us is null and not is_foreign)
            or coalesce(not regexp_full_match(index_text, '[0-9]{1,18}'), not is_foreign and not is_nobody)
            or coalesce(event_id, '') = ''
            or coalesce(app_id, '') = ''
            or (coalesce(stream_id, '') = '' and not is_foreign and not is_nobody)
            or (coalesce(visitor_id, '') = '' and not is_foreign and not may_be_nobody)
            or not coalesce(list_contains($platforms, platform), false)
            or not coalesce(list_contains($schemas, schema) or schema like 'custom._%', false)
            or (schema = 'page_view' and (page_id is null or url is null))
            or breaks_plan(schema, planned)
            or received_us - event_us > $lateness_us
            or coalesce(event_us < (select max(before_us) from seals), false)
            or contains(message, ':NaN')
            or contains(message, 'Infinity')
            or coalesce(regexp_matches(data, $not_a_number), false)
            -- A case, and no and: both sides of that are worked out for every row.
            or case
                when strlen(data) > $deepest
                    then strlen(data) - strlen(replace(replace(data, '[', ''), '{', '')) > $deepest
                else false
            end
            or coalesce(
                regexp_full_match(event_id, $not_text)
                or regexp_full_match(app_id, $not_text)
                or regexp_full_match(stream_id, $not_text)
                or regexp_full_match(visitor_id, $not_text)
                or regexp_full_match(page_id, $not_text)
                or regexp_full_match(url, $not_text),
                false
            )
        ) as is_suspect
    from timed
)

select
    * exclude (version_text, index_text, line_reason, line_detail, item, message, wrong, query, planned)
    replace (
        case when not is_nobody then stream_id end as stream_id,
        case when not is_nobody then message_index end as message_index,
        case when not is_nobody then stream_number end as stream_number,
        case when not is_nobody then previous_stream_id end as previous_stream_id,
        case when not is_nobody then nullif(visitor_id, '') end as visitor_id,
        case when not is_nobody then user_id end as user_id
    ),
    case when list_contains($versions, version_text) then try_cast(version_text as integer) end as version,
    case when is_suspect then message end as message,
    case when is_suspect then coalesce(query, item, 'null') end as item,
    case when is_suspect then wrong end as wrong,
    case when is_suspect then version_text end as version_text,
    cast(md5_number_lower(message) >> 1 as bigint) as content_key,
    false as is_access,
    line_reason as reason,
    line_detail as detail
from doubted;
