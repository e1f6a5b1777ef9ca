"""Web servers' lines, in the formats of the register: page views seen from the server, and the pixel's hits.

What every kind of format gives is the same columns (quoted.sql); those of the kinds text, json and table are generated
from the register. Who a line is from is decided of the distinct heads of lines, and joined back.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from etl.enrich import addresses, urls
from etl.formats import statements
from etl.formats.collector import FIRST_LOG_US, LAST_LOG_US, define_macros
from etl.formats.recognise import WITH_AGENT, WITHOUT_AGENT, columns_of
from etl.formats.rules import sql_list
from etl.vocabulary.log_formats import FORMATS, LogFormat

FIELDS = ("client", "forwarded", "date", "time", "request", "method", "target", "query", "status", "referrer", "agent")
"""What the register can say of a format's fields."""
REQUEST = r"^([A-Z]+) (\S+)(?: HTTP/[0-9.]+)?$"
BLANK_REQUEST = r"^([A-Z]+) (\S.*) HTTP/[0-9.]+$"
"""A request line; and one with blanks in its path, which some servers take."""
WHOLE = ""
"""The layout of a client's field that is a field of its own."""
EXTENSION = r"^[^?#]*\.([A-Za-z0-9]+)(?:[?#].*)?$"
"""What a path ends in."""
PAGE_READ = (
    "method in ('GET', 'HEAD') and try_cast(status as integer) in (200, 304) and not coalesce(list_contains("
    f"getvariable('asset_extensions'), lower(regexp_extract(target, '{EXTENSION}', 1))), false)"
)
PIXEL_READ = "method = 'GET' and starts_with(target, '/px.gif?')"
"""Which lines are asked for, in SQL: a page that was read, and the pixel."""
DECODED = {
    # Older lines have it written so twice.
    "percent": "coalesce(try(case when contains(url_decode({0}), '%20') then url_decode(url_decode({0}))"
    " else url_decode({0}) end), {0})",
    "plus": "replace({0}, '+', ' ')",
    "": "{0}",
}  # fmt: skip
"""How an agent is written that may hold no blanks."""


def read_page_views(
    con: duckdb.DuckDBPyConnection, trusted_proxies: Sequence[str], asset_extensions: Sequence[str],
    no_pages: Sequence[Sequence[str]],
) -> None:  # fmt: skip
    """Make `logged` of lines, and `viewed` of it: the page views among them (page_views.sql).

    Args:
        asset_extensions: of files that are no pages.
        no_pages: by number, as `log_files` says it, patterns of paths that are no pages.
    """
    statements.set_variables(con, asset_extensions=list(asset_extensions))
    con.execute(f"create or replace macro is_page_read(method, target, status) as {PAGE_READ}")
    cases = " ".join(
        f"when {number} then regexp_matches(target, '{expression}')"
        for number, patterns in enumerate(no_pages)
        if (expression := no_page_expression(patterns).replace("'", "''"))
    )
    said = f"case rule {cases} end" if cases else "false"
    con.execute(f"create or replace macro is_no_page(rule, target) as {said}")
    read_lines(con, PAGE_READ, trusted_proxies)
    statements.run(con, "page_views.sql")


def name_readers(con: duckdb.DuckDBPyConnection, key: bytes) -> None:
    """Make the view `decoded` of `viewed` and `agents`, as messages.sql would (readers.sql)."""
    people = con.execute("select distinct ip, user_agent from viewed").fetchall()
    con.register("pseudonyms", addresses.pseudonyms(key, people))
    statements.run(con, "readers.sql")


def read_pixel_hits(con: duckdb.DuckDBPyConnection, trusted_proxies: Sequence[str]) -> None:
    """Make `logged` of lines, and `asked` of it: the requests of the pixel among them (pixel_requests.sql)."""
    for name in ("e", "a", "p", "v", "u"):
        con.execute(f"create or replace macro sent_{name}(query) as {urls.sent_value(name)}")
    con.execute(f"create or replace macro decoded_value(sent) as {urls.decoded_value('sent')}")
    read_lines(con, PIXEL_READ, trusted_proxies)
    statements.run(con, "pixel_requests.sql")


def describe_hits(con: duckdb.DuckDBPyConnection) -> None:
    """Make the view `hits` of `asked` and `agents` (pixel_hits.sql)."""
    statements.run(con, "pixel_hits.sql")


def read_lines(con: duckdb.DuckDBPyConnection, wanted: str, trusted_proxies: Sequence[str]) -> None:
    """Make the view `logged` (logged.sql) of `lines`, `log_files` and `headers`: what is wanted, and what is wrong.

    Args:
        wanted: which lines are asked for, in SQL, by method, target and status.
    """
    define_macros(con)
    con.execute(f"create or replace macro unescaped(said) as {unescaped('said')}")
    con.execute(f"create or replace macro percented(said) as {percented('said')}")
    con.execute(f"create or replace macro any_time_us(said) as {any_time('said')}")
    con.execute(f"create or replace macro asked(said) as regexp_extract(said, '{REQUEST}', ['method', 'target'])")
    con.execute(f"create or replace macro asked_in_full(found, said) as {asked_in_full('found', 'said')}")
    con.execute(f"create or replace macro is_wanted(method, target, status) as {wanted}")
    statements.set_variables(
        con, with_agent=WITH_AGENT, without_agent=WITHOUT_AGENT, first_log_us=FIRST_LOG_US, last_log_us=LAST_LOG_US,
        plain_address=addresses.PLAIN,
    )  # fmt: skip
    statements.run(con, "texts.sql")
    named = [name for (name,) in con.execute("select distinct format_name from log_files order by 1").fetchall()]
    branches = [select_kind(FORMATS[name]) for name in named if name in FORMATS and FORMATS[name].kind != "quoted"]
    if not branches or any(name not in FORMATS or FORMATS[name].kind == "quoted" for name in named):
        statements.run(con, "quoted.sql")
        branches.append("select * from quoted_lines")
    con.execute(f"create or replace temp view read_lines as {' union all by name '.join(branches)}")
    statements.run(con, "kept_lines.sql")
    heads = con.execute("select distinct layout, client, forwarded from kept_lines where is_format").fetchall()
    con.register("clients", addresses.clients(heads, addresses.read_networks(tuple(trusted_proxies))))
    statements.run(con, "logged.sql")


def no_page_expression(patterns: Sequence[str]) -> str:
    """Write patterns of paths as one expression: what is below one, and itself unless it ends in `/`; `*` is any."""
    written = []
    for pattern in patterns:
        said = re.escape(pattern).replace(r"\*", "[^?#]*")
        written.append(said if pattern.endswith(("/", "*")) else f"{said}(?:[/?#]|$)")
    return f"^(?:{'|'.join(written)})" if written else ""


def select_kind(entry: LogFormat) -> str:
    """Say in SQL the lines of one format of the register, with the columns of every kind."""
    kinds = {"text": select_text, "json": select_json, "table": select_table}
    fields = kinds[entry.kind](entry)
    agent = DECODED[entry.agent_is].format("said.agent")
    return f"""
        select
            * exclude (said, is_said, request),
            coalesce(is_said, false) as is_format,
            {"starts_with(text, '#')" if entry.kind == "table" else "false"} as is_comment,
            said.client as client, nullif(said.forwarded, '-') as forwarded,
            any_time_us(concat_ws(' ', said.date, said.time)) as received_us,
            concat_ws(' ', said.date, said.time) as time_text,
            coalesce(said.method, request.method) as method,
            {path_of("coalesce(said.target, request.target)", "said.query")} as target,
            said.status as status, said.referrer as referrer, {agent} as agent
        from (
            select *, asked_in_full(asked(said.request), said.request) as request from ({fields})
        )
    """


def path_of(target: str, query: str) -> str:
    """Say in SQL a path and its query, of which servers write the one with or without the other, or with the host."""
    path = f"regexp_replace({target}, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*', '')"
    asked = f"nullif(nullif(ltrim({query}, '?'), ''), '-')"
    return f"case when {asked} is null or contains({target}, '?') then {path} else {path} || '?' || {asked} end"


def struct_of(values: Mapping[str, str]) -> str:
    """Say in SQL a structure of all fields."""
    return "struct_pack(" + ", ".join(f"{name} := {values.get(name, 'null::varchar')}" for name in FIELDS) + ")"


def select_text(entry: LogFormat) -> str:
    """Say in SQL the fields of lines that an expression with named groups describes."""
    names = list(re.compile(entry.lines).groupindex)
    expression = entry.lines.replace("'", "''")
    values = {name: f"found.{name}" for name in names}
    values["date"] = "null::varchar"
    return f"""
        select * exclude (found), {struct_of(values)} as said, found.{names[0]} <> '' as is_said, true as knows_agent
        from (
            select *, regexp_extract(text, '{expression}', [{sql_list(tuple(names))}]) as found
            from texts where format_name = '{entry.name}'
        )
    """


def select_json(entry: LogFormat) -> str:
    """Say in SQL the fields of lines that are JSON objects; each is the first of its paths that says anything."""
    paths = [path for name in FIELDS for path in entry.fields.get(name, [])]
    place = {path: number for number, path in enumerate(paths, 1)}
    values = {
        name: "coalesce(" + ", ".join(f"nullif(nullif(found[{place[path]}], ''), '-')" for path in found) + ")"
        for name, found in entry.fields.items()
    }
    return rf"""
        select * exclude (found), {struct_of(values)} as said, found is not null as is_said,
            {values.get("agent", "null")} is not null as knows_agent
        from (
            select * exclude (object), case when json_type(object) = 'OBJECT'
                then json_extract_string(object, [{sql_list(tuple(paths))}]) end as found
            from (
                select *, case
                    when json_valid(text) then text
                    -- Bytes that a server escaped as it does in its plain logs, and as JSON does not.
                    when json_valid(replace(text, '\x', '\\x')) then replace(text, '\x', '\\x')
                end as object
                from texts where format_name = '{entry.name}'
            )
        )
    """


def select_table(entry: LogFormat) -> str:
    """Say in SQL the fields of lines whose columns the line `#Fields:` before them names."""
    values = {name: f"nullif(found[places.{name}_place], '-')" for name in entry.fields}
    # Some servers write tabs where others of the format write blanks.
    text = "case when contains(text, chr(9)) then replace(text, chr(9), ' ') else text end"
    text = text if entry.separator == " " else "text"
    return f"""
        select lined.* exclude (found), {struct_of(values)} as said, len(found) = places.width as is_said,
            places.agent_place is not null as knows_agent
        from (
            select *, string_split({text}, '{entry.separator}') as found
            from texts where format_name = '{entry.name}'
        ) as lined
        asof left join headers as places
            on lined.file_id = places.file_id and lined.line_number >= places.first_line
    """


def headers(found: Iterable[tuple[int, int, str, LogFormat]]) -> pa.Table:
    """Say where columns stand (from 1) after each line `#Fields:` (file, line, text, the file's format)."""
    rows = []
    for file_id, line, text, entry in found:
        columns = columns_of(text)
        places = {
            f"{name}_place": next((columns.index(column) + 1 for column in names if column in columns), None)
            for name, names in entry.fields.items()
        }
        rows.append({"file_id": file_id, "first_line": line, "width": len(columns), **places})
    schema = pa.schema(
        [("file_id", pa.int64()), ("first_line", pa.int64()), ("width", pa.int64())]
        + [(f"{name}_place", pa.int64()) for name in FIELDS]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def any_time(said: str) -> str:
    """Say in SQL a time as servers write it, in microseconds: since 1970 in any unit, ISO 8601 or a log's own."""
    return f"""
        case
            when regexp_full_match({said}, '[0-9]{{9,10}}([.][0-9]+)?') then epoch_text_us({said})
            when regexp_full_match({said}, '[0-9]{{13}}([.][0-9]+)?')
                then try(cast(cast(try_cast({said} as decimal(18, 3)) as decimal(28, 3)) * 1000 as bigint))
            when regexp_full_match({said}, '[0-9]{{16}}') then try_cast({said} as bigint)
            when regexp_full_match({said}, '[0-9]{{19}}') then try_cast({said} as bigint) // 1000
            when regexp_matches({said}, '^[0-9]{{1,2}}/[A-Z]')
                -- Not as a list of formats: by that the 31st of February is a day in March.
                then try(epoch_us(coalesce(
                    try_strptime({said}, '%d/%b/%Y:%H:%M:%S %z'), try_strptime({said}, '%d/%b/%Y:%H:%M:%S.%f %z')
                )))
            else iso_us(regexp_replace({said}, ' ([+-][0-9:]+)$', '\\1'))
        end
    """


def asked_in_full(found: str, said: str) -> str:
    """Say in SQL what a request line asks for, a path with blanks too, which are written as URLs have them."""
    again = f"regexp_extract({said}, '{BLANK_REQUEST}', ['method', 'target'])"
    return f"""
        case
            when {found}.method <> '' or not coalesce(contains({said}, ' HTTP/'), false) then {found}
            else struct_pack(method := ({again}).method, target := replace(({again}).target, ' ', '%20'))
        end
    """


def percented(column: str) -> str:
    r"""Write a server's escaped bytes of a URL as URLs have them, in SQL: `\xC3\xA9` is `%C3%A9`."""
    written = rf"regexp_replace({column}, '\\x([0-9A-Fa-f]{{2}})', '%\1', 'g')"
    return rf"case when contains({column}, '\x') then {written} else {column} end"


def unescaped(column: str) -> str:
    r"""Undo a server's escape of quotes (`\"`, `\x22`) in SQL; `-` and nothing are null."""
    text = f"replace(replace({column}, '\\\"', '\"'), '\\x22', '\"')"
    return f"nullif(nullif({text}, '-'), '')"
