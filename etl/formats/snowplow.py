"""Snowplow's tracker protocol: one event of a `payload_data` body, or of a `GET /i?…`, as a Bloodhound message.

Source of the parameters' meaning: Snowplow's tracker protocol, and its enrichment for event names.
All is done whole columns at once, in SQL; no schema registry is asked: a self-describing event is of the schema of the
tracking plan that has its schema's name, else an ad hoc message named after it.
"""

from collections.abc import Iterable, Mapping

import orjson

from etl.enrich import urls
from etl.formats.versions import NEWEST_VERSION, read_json

POST_PATH = "/com.snowplowanalytics.snowplow/tp2"
GET_PATH = "/i"

PAGE_PING = "page_ping"
EVENT_NAMES = {"pp": PAGE_PING, "se": "struct", "ti": "transaction_item", "ad": "ad_impression"}
"""What Snowplow itself calls the events it abbreviates; `pv` and `tr` are a page view and an order."""

PLATFORMS = {"web": "desktop_web", "pc": "desktop_web", "app": "desktop_web", "srv": "backend", "mob": "android"}
"""Until the user agent is known: a `web` may be touch, a `mob` may be iOS."""

NAMES = {
    "schema": "e", "app_id": "aid", "platform": "p", "created_at": "dtm", "page.url": "url",
    "page.id": "id of the web_page context",
}  # fmt: skip

PARAMETERS = (
    "e", "eid", "aid", "p", "tv", "duid", "nuid", "tnuid", "uid", "url", "refr", "page", "dtm", "stm", "ttm", "lang",
    "tz", "res", "vp", "ds", "sid", "vid", "ue_pr", "ue_px", "co", "cx",
    "se_ca", "se_ac", "se_la", "se_pr", "se_va", "pp_mix", "pp_max", "pp_miy", "pp_may",
    "tr_id", "tr_af", "tr_tt", "tr_tx", "tr_sh", "tr_ci", "tr_st", "tr_co", "tr_cu",
    "ti_id", "ti_sk", "ti_nm", "ti_ca", "ti_pr", "ti_qu", "ti_cu",
)  # fmt: skip

DATA = {
    "pv": {"title": "page"},
    "pp": {"min_x": "pp_mix", "max_x": "pp_max", "min_y": "pp_miy", "max_y": "pp_may"},
    "se": {"category": "se_ca", "action": "se_ac", "label": "se_la", "property": "se_pr", "value": "se_va"},
    "tr": {
        "order_id": "tr_id", "revenue": "tr_tt", "currency": "tr_cu", "affiliation": "tr_af", "tax": "tr_tx",
        "shipping": "tr_sh", "city": "tr_ci", "state": "tr_st", "country": "tr_co",
    },
    "ti": {
        "order_id": "ti_id", "sku": "ti_sk", "name": "ti_nm", "category": "ti_ca", "price": "ti_pr",
        "quantity": "ti_qu", "currency": "ti_cu",
    },
}  # fmt: skip
"""What an event's own parameters are called in `data`."""

ECOMMERCE_ACTION = "snowplow_ecommerce_action"
ENTITY = '{"data":[{"schema":"VARCHAR","data":"JSON"}]}'
DESCRIBED = '{"data":{"schema":"VARCHAR","data":"JSON"}}'
TRANSACTION = {
    "order_id": "purchase.transaction_id", "revenue": "purchase.revenue", "currency": "purchase.currency",
    "quantity": "purchase.total_quantity",
}  # fmt: skip
TRANSACTION_SHAPE = '{"transaction_id":"JSON","revenue":"VARCHAR","currency":"JSON","total_quantity":"JSON"}'
SESSION = '{"sessionId":"JSON","eventIndex":"JSON","sessionIndex":"JSON","previousSessionId":"VARCHAR"}'
NAVIGATION = ("type", "fetchStart", "domainLookupStart", "connectStart", "requestStart", "responseStart", "responseEnd")
"""Of the navigation entity: how a document was come to, and moments of its load that are the same in all its views."""

# Contexts whose content has a column of its own; the others stay in `data.contexts`.
READ_CONTEXTS = "^iglu:[^/]+/(web_page|client_session)/"
OTHER_CONTEXTS = (
    f"list_filter(contexts, lambda entry: not regexp_matches(coalesce(entry.schema, ''), '{READ_CONTEXTS}'))"
)
LOAD = "(?i:performance_?navigation_?timing)"
"""The entity that says when a document was loaded, and how."""


def query_as_json(query: str) -> str:
    """Say in SQL a query string as a JSON object of its parameters, decoded."""

    def decoded(text: str) -> str:
        spaced = f"replace({text}, '+', ' ')"
        return f"cast(to_json({urls.decoded(spaced)}) as varchar)"

    pairs = f"list_filter(string_split({query}, '&'), lambda pair: strpos(pair, '=') > 1)"
    name, value = decoded("split_part(pair, '=', 1)"), decoded("substr(pair, strpos(pair, '=') + 1)")
    return f"'{{' || array_to_string(list_transform({pairs}, lambda pair: {name} || ':' || {value}), ',') || '}}'"


def self_describing(plain: str, encoded: str) -> str:
    """Say in SQL the JSON of a parameter that is sent plain or as base64 (URL-safe, padded or not)."""
    padded = f"rpad({encoded}, cast((length({encoded}) + 3) // 4 * 4 as integer), '=')"
    decoded = f"try(decode(from_base64(replace(replace({padded}, '-', '+'), '_', '/'))))"
    return f"coalesce(nullif({plain}, ''), nullif({decoded}, ''))"


def texts_of(names: Iterable[str]) -> str:
    """Write a `from_json` structure of texts."""
    return orjson.dumps(dict.fromkeys(names, "VARCHAR")).decode()


def without_nulls(keys: Mapping[str, str]) -> str:
    """Say in SQL a JSON object of SQL values that are not null."""
    pairs = ", ".join(f"'{key}', {value}" for key, value in keys.items())
    return f"json_merge_patch('{{}}', json_object({pairs}))"


def entity(name: str) -> str:
    """Say in SQL the data of the first context whose schema's name matches, JSON or null."""
    return f"list_filter(contexts, lambda entry: regexp_matches(entry.schema, '^iglu:[^/]+/{name}/'))[1].data"


def milliseconds(parameter: str) -> str:
    """Say in SQL a parameter of epoch milliseconds as microseconds; null if it is none."""
    # A plain cast fails on what the condition excludes: DuckDB reads a repeated expression ahead of it.
    number = f"try_cast({parameter} as bigint)"
    return f"in_range(case when regexp_full_match({parameter}, '[0-9]{{1,15}}') then {number} * 1000 end)"


def ours(expression: str) -> str:
    """Say in SQL that something is asked of Snowplow's events alone: of others it would cost as much, and be null."""
    return f"case when protocol = 'snowplow' then {expression} end"


def translate(source: str) -> str:
    """Say in SQL the CTEs that turn the Snowplow events among `source`'s rows into messages.

    Args:
        source: a CTE with protocol, message, ordinal, line_hash, network_id, sent_us.

    Returns:
        CTEs separated by commas, the last named `translated`: the columns of `source`, with `message` and `sent_us` of
        Snowplow events set, and what Snowplow alone says (null of others): `wrong`, why an event could not be read;
        sent_platform; document_key, of the document that a page view shows; stream_number and previous_stream_id, the
        client's own number of its session and the one before.
    """
    shape = texts_of(PARAMETERS)
    moments = ", ".join(f"load.{name}" for name in NAVIGATION)
    names = " ".join(f"when '{short}' then 'custom.{name}'" for short, name in EVENT_NAMES.items())
    platforms = " ".join(f"when '{short}' then '{name}'" for short, name in PLATFORMS.items())
    data = " ".join(
        f"when '{short}' then {without_nulls({key: f'event.{name}' for key, name in keys.items()})}"
        for short, keys in DATA.items()
    )
    return f"""
        of_snowplow as (
            select *, case when protocol = 'snowplow' then try(from_json(message, '{shape}')) end as event
            from {source}
        ),
        with_contexts as (
            select
                *,
                {ours(self_describing("event.ue_pr", "event.ue_px"))} as described_text,
                {ours(self_describing("event.co", "event.cx"))} as contexts_text,
                {ours(read_json("contexts_text", ENTITY) + ".data")} as contexts,
                {ours(read_json("described_text", DESCRIBED) + ".data")} as described
            from of_snowplow
        ),
        with_entities as (
            select
                *,
                {ours("nullif(regexp_extract(described.schema, '^iglu:[^/]+/([^/]+)/', 1), '')")} as described_name,
                -- A payment that failed has the entity too: its action is another. A page view stays one.
                case when event.e = 'ue' and (
                    coalesce(described_name, '') <> '{ECOMMERCE_ACTION}'
                    or described.data ->> '$.type' = 'transaction'
                ) then {entity("transaction")} end as bought,
                case when bought is not null then try(from_json(bought, '{TRANSACTION_SHAPE}')) end as purchase,
                {ours(f"try(from_json({entity('client_session')}, '{SESSION}'))")} as client_session,
                {ours(f"nullif({entity('web_page')} ->> '$.id', '')")} as web_page_id,
                {ours(f"try(from_json({entity(LOAD)}, '{texts_of(NAVIGATION)}'))")} as load,
                {ours(OTHER_CONTEXTS)} as other_contexts,
                {ours("coalesce(nullif(event.eid, ''), md5(line_hash || ':' || ordinal))")} as event_id,
                {ours(milliseconds("event.dtm"))} as created,
                {ours(milliseconds("event.stm"))} as sent,
                case
                    when protocol <> 'snowplow' then null
                    when event.ue_px <> '' and described_text is null then 'ue_px is not base64 of UTF-8'
                    when event.e = 'ue' and described_name is null
                        then 'the self-describing event names no schema'
                    when event.cx <> '' and contexts_text is null then 'cx is not base64 of UTF-8'
                    when contexts_text is not null and contexts is null then 'the contexts are no list of entities'
                    when event.dtm <> '' and created is null then 'dtm is no time: ' || left(event.dtm, 100)
                end as unread
            from with_contexts
        ),
        with_data as (
            select
                *,
                case
                    when bought is not null then {without_nulls(TRANSACTION)}
                    else case event.e when 'ue' then described.data {data} end
                end as own_data
            from with_entities
        ),
        translated as (
            select
                * exclude (event, described_text, contexts_text, contexts, described, bought, purchase,
                    client_session, web_page_id, load, other_contexts, described_name, event_id, created,
                    sent, unread, own_data)
                replace (
                    case when protocol = 'snowplow' and json_type(message) = 'OBJECT' then cast(json_object(
                        'version', {NEWEST_VERSION}, 'id', event_id,
                        'schema', case
                            when bought is not null or event.e = 'tr' then 'order'
                            when event.e = 'pv' then 'page_view'
                            when event.e = 'ue' and list_contains(getvariable('planned_schemas'), described_name)
                                then described_name
                            when event.e = 'ue' then 'custom.' || described_name
                            else case event.e {names} else 'custom.' || nullif(event.e, '') end
                        end,
                        'app_id', event.aid,
                        'platform', case event.p {platforms} else event.p end,
                        'tracker', event.tv,
                        'stream_id', client_session.sessionId, 'index', client_session.eventIndex,
                        'created_at', strftime(make_timestamp(created), '%Y-%m-%dT%H:%M:%S.%fZ'),
                        'visitor_id', coalesce(
                            nullif(event.duid, ''), nullif(event.nuid, ''), nullif(event.tnuid, ''), network_id,
                            nullif(event.uid, '')
                        ),
                        'user_id', event.uid, 'logged_in', coalesce(event.uid, '') <> '', 'locale', event.lang,
                        'page', json_object(
                            'id', coalesce(web_page_id, event_id), 'url', event.url, 'referrer', event.refr,
                            'navigation', case
                                when event.p = 'email' then 'email'
                                when load.type in ('navigate', 'reload', 'back_forward') then load.type
                                when load.type = 'prerender' then 'navigate'
                            end
                        ),
                        'data', case when len(other_contexts) = 0 or other_contexts is null then own_data
                            else json_merge_patch(
                                case when json_type(own_data) = 'OBJECT' then own_data else '{{}}'::json end,
                                json_object('contexts', other_contexts)
                            ) end
                    ) as varchar) else message end as message,
                    case when protocol = 'snowplow' then sent else sent_us end as sent_us
                ),
                case when protocol = 'snowplow' then unread end as wrong,
                case when protocol = 'snowplow' and event.p in ('web', 'mob') then event.p end as sent_platform,
                case when event.e = 'pv' and coalesce(load.fetchStart, load.requestStart, load.responseEnd) is not null
                    then cast(md5_number_lower(concat_ws(' ', {moments})) >> 1 as bigint) end as document_key,
                try_cast(client_session.sessionIndex ->> '$' as bigint) as stream_number,
                nullif(client_session.previousSessionId, '') as previous_stream_id
            from with_data
        )"""
