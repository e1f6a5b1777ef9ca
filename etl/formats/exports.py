"""Exports of other trackers: lines of the register's formats as requests of one message each, and these as ours.

All is generated from the register (`conf/tracker_exports.toml`). A line's paths are asked of the line itself, but that
lists of parameters are objects there.
"""

from collections.abc import Callable, Sequence

import duckdb

from etl.formats.snowplow import without_nulls
from etl.formats.versions import NEWEST_VERSION
from etl.vocabulary.tracker_exports import EXPORTS, TrackerExport

PARAMETERS = '[{"key":"VARCHAR","value":{"string_value":"VARCHAR","int_value":"VARCHAR","float_value":"VARCHAR",\
"double_value":"VARCHAR"}}]'


def define_macros(con: duckdb.DuckDBPyConnection) -> None:
    """Make the macros that requests.sql asks: export_name(line), export_record, and what a record says of a request."""
    names = " ".join(
        f"when {' and '.join(f'{value(path)} is not null' for path in entry.needs)} then {text(entry.name)}"
        for entry in EXPORTS.values()
    )
    records = " ".join(
        f"when {text(entry.name)} then {with_parameters(entry.parameters)}"
        for entry in EXPORTS.values() if entry.parameters
    )  # fmt: skip
    macros = {
        "export_name(record)": f"case when json_type(record) = 'OBJECT' then case {names} end end",
        "export_record(name, record)": f"case name {records} else record end",
        "export_received_us(name, record)": each(lambda entry: time([*entry.received, *entry.created])),
        "export_sent_us(name, record)": each(lambda entry: time(entry.sent)),
        "export_request(name, record)": each(request_of),
        "export_ip(name, record)": each(lambda entry: first(entry.ip)),
        "export_agent(name, record)": each(lambda entry: first(entry.agent)),
    }
    for name, said in macros.items():
        con.execute(f"create or replace macro {name} as {said}")


def translate(source: str) -> str:
    """Say in SQL the CTEs that turn the exported events among `source`'s rows into messages.

    Args:
        source: a CTE with protocol, message, version_text, sent_platform.

    Returns:
        CTEs separated by commas, the last named `told`: the columns of `source`, `message` and `sent_platform` set.
    """
    platform = each(platform_of)
    return f"""
        exported as (
            select
                *, case when version_text = 'export' then cast(message as json) end as record, protocol as name,
                {each(schema_of)} as export_schema, {platform} as export_platform, {each(id_of)} as export_id
            from {source}
        ),
        told as (
            select
                * exclude (record, name, export_schema, export_platform, export_id)
                replace (
                    case when record is null then message else cast(json_object(
                        'version', {NEWEST_VERSION}, 'id', export_id, 'schema', export_schema,
                        'app_id', {each(lambda entry: f"coalesce({first(entry.app_id)}, {text(entry.name)})")},
                        'platform', case export_platform when 'web' then 'desktop_web' else export_platform end,
                        'tracker', name,
                        'created_at', strftime(
                            make_timestamp({each(lambda entry: time(entry.created))}), '%Y-%m-%dT%H:%M:%S.%fZ'
                        ),
                        'visitor_id', {each(lambda entry: first([*entry.visitor, *entry.user]))},
                        'user_id', {each(lambda entry: first(entry.user))},
                        'logged_in', {each(lambda entry: first(entry.user))} is not null,
                        'locale', {each(lambda entry: first(entry.locale))},
                        'page', json_object(
                            'id', case when export_schema = 'page_view' then export_id end,
                            'url', {each(lambda entry: first(entry.url))},
                            'referrer', {each(lambda entry: first(entry.referrer))}
                        ),
                        'data', {each(data_of)}
                    ) as varchar) end as message,
                    case when record is not null and export_platform = 'web' then 'web' else sent_platform end
                        as sent_platform
                )
            from exported
        )"""


def each(said: Callable[[TrackerExport], str]) -> str:
    """Say in SQL what the format of a record (`name`) says, format by format."""
    return f"case name {' '.join(f'when {text(entry.name)} then {said(entry)}' for entry in EXPORTS.values())} end"


def text(constant: str) -> str:
    """Write a constant of the register as SQL."""
    return "'" + constant.replace("'", "''") + "'"


def value(path: str) -> str:
    """Say in SQL what stands at a path of a record, as text; null of nothing."""
    return f"nullif(json_extract_string(record, {text(path)}), '')"


def first(paths: Sequence[str]) -> str:
    """Say in SQL the first of some paths that says anything."""
    return f"coalesce({', '.join(map(value, paths))})" if paths else "null::varchar"


def time(paths: Sequence[str]) -> str:
    """Say in SQL a time, in microseconds."""
    said = first(paths)
    is_epoch = f"regexp_full_match({said}, '[0-9]{{1,17}}')"
    return f"in_range(case when {is_epoch} then try_cast({said} as bigint) else iso_us({said}) end)"


def with_parameters(name: str) -> str:
    """Say in SQL a record with a list of parameters as an object."""
    key = text(name)
    said = "to_json(coalesce(p.value.string_value, p.value.int_value, p.value.double_value, p.value.float_value))"
    pair = f"to_json(coalesce(p.key, '')) || ':' || coalesce({said}, 'null')"
    written = f"list_transform(from_json(json_extract(record, {text(f'$.{name}')}), '{PARAMETERS}'), lambda p: {pair})"
    made = f"try(cast('{{' || array_to_string({written}, ',') || '}}' as json))"
    return f"json_merge_patch(record, json_object({key}, null), json_object({key}, {made}))"


def schema_of(entry: TrackerExport) -> str:
    """Say in SQL the schema of a record."""
    said = first(entry.event)
    ours = " ".join(f"when {text(theirs)} then {text(schema)}" for theirs, schema in entry.schemas.items())
    planned = f"list_contains(getvariable('planned_schemas'), {said})"
    return f"coalesce(case {said} {ours} end, case when {planned} then {said} else 'custom.' || {said} end)"


def id_of(entry: TrackerExport) -> str:
    """Say in SQL what a record is known by."""
    known = ", ".join(f"coalesce({value(path)}, '')" for path in entry.id_of)
    return first(entry.id) if entry.id else f"md5(concat_ws(chr(10), {known}))"


def request_of(entry: TrackerExport) -> str:
    """Say in SQL what names the request of a record whose receipt is known: its own id."""
    return f"case when {time(entry.received)} is not null then {first(entry.id)} end"


def platform_of(entry: TrackerExport) -> str:
    """Say in SQL the platform of a record, or `web`; what no pattern fits stays as it is."""
    said = f"concat_ws(' ', {', '.join(map(value, entry.platform))})"
    cases = " ".join(
        f"when regexp_full_match({said}, {text(found)}) then {text(ours)}" for found, ours in entry.platforms
    )
    return f"case {cases} else {said} end"


def data_of(entry: TrackerExport) -> str:
    """Say in SQL the data of a record: its own, what an order asks for, and all that has no place."""
    own, key = f"json_extract(record, {text(entry.data)})", text(entry.data.removeprefix("$."))
    order = without_nulls({name: first(paths) for name, paths in entry.order.items()})
    rest = f"json_object('export', json_merge_patch(record, json_object({key}, null)))"
    return (
        f"json_merge_patch(case when json_type({own}) = 'OBJECT' then {own} else '{{}}'::json end,"
        f" case when export_schema = 'order' then {order} else '{{}}'::json end, {rest})"
    )
