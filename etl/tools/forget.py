"""Forget: who a request means, what of the home has to go at once, and a search of every byte for what is left.

Persons follow stitching, as in the marts: a user's sessions are those that are stitched to them. A visitor all of whose
sessions are the user's goes with them; of a device that others use too only the user's sessions go.
"""

import mmap
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from etl.enrich.addresses import read_address
from etl.errors import BadUse
from etl.formats.persons import values_of
from etl.lake import erasures, sealed, sql
from etl.lake.catalogue import Lake
from etl.lake.erasures import Entry, Erasures, Kind, Request
from etl.tools.erase import PLAIN_BYTES, Found

MADE_ANEW = ("warehouse/build", "exports", "suspects", "report", "docs", "lake/spill", "lake/staging")
"""What may hold people's rows outside the lake and the warehouse, and is made again."""


@dataclass
class Person:
    """Whom a request means.

    Attributes:
        kind: by what somebody was named.
        names: identifiers that are theirs alone, each with its kind.
        shared: visitors of devices that others use too, each with the times (µs) of the person's sessions.
        days: first and last day of their sessions, ISO; None where there are none.
        others: how many users a named visitor is shared by, where they are several.
    """

    kind: Kind
    names: list[tuple[Kind, str]]
    shared: list[tuple[str, int, int]] = field(default_factory=list)
    days: tuple[str, str] | None = None
    others: int = 0


def person_of(con: duckdb.DuckDBPyConnection, lake: Lake, kind: Kind, value: str) -> Person:
    """Say whom an identifier means, by the sessions that are published.

    Args:
        con: open on the warehouse.

    Raises:
        BadUse: it is no identifier.
    """
    if not value.strip():
        raise BadUse("an empty identifier means nobody", "Give the visitor's or user's id, or an address")
    if kind == "ip":
        address = read_address(value)
        if address is None:
            raise BadUse(f"{value!r} is no address", "Give one as 203.0.113.7")
        return Person(kind, [("ip", str(address))])
    if kind == "user":
        return of_user(con, lake, Person(kind, [("user", value)]), value)
    users = con.execute(
        "select distinct user_id from core.sessions where visitor_id = $visitor and user_id is not null order by 1",
        {"visitor": value},
    ).fetchall()
    person = Person(kind, [("visitor", value)])
    if len(users) == 1:
        return of_user(con, lake, Person(kind, [("visitor", value), ("user", users[0][0])]), users[0][0])
    person.others = len(users)
    person.days = days_of(con, "visitor_id = $name", value)
    return person


def of_user(con: duckdb.DuckDBPyConnection, lake: Lake, person: Person, user: str) -> Person:
    """Add a user's devices to a person; where events are gone, what is kept of them says who else used a device."""
    spoken = sealed.parts_of(lake, sealed.SPEAKERS)
    kept = f"union select visitor_id from {sealed.scan(lake, spoken)} where user_id <> $user" if spoken else ""
    rows = con.execute(
        f"""
        with sessions as (
            select
                visitor_id, coalesce(person_id = $user or user_id = $user, false) as is_theirs,
                epoch_us(started_at) as since_us, epoch_us(ended_at) as until_us
            from core.sessions
            where visitor_id in (select visitor_id from core.sessions where person_id = $user or user_id = $user)
        ),
        strangers as (
            select distinct visitor_id from core.events where user_id <> $user {kept}
        )
        select
            sessions.visitor_id, bool_and(is_theirs) and strangers.visitor_id is null as is_alone,
            list([since_us, until_us] order by since_us) filter (where is_theirs) as times
        from sessions left join strangers using (visitor_id)
        group by sessions.visitor_id, strangers.visitor_id order by 1
        """,
        {"user": user},
    ).fetchall()
    known = {value for _, value in person.names}
    for visitor, is_alone, times in rows:
        if is_alone and visitor not in known:
            person.names.append(("visitor", visitor))
        elif not is_alone and visitor not in known:
            person.shared += [(visitor, since, until) for since, until in times]
    person.days = days_of(con, "person_id = $name or user_id = $name", user)
    return person


def days_of(con: duckdb.DuckDBPyConnection, condition: str, name: str) -> tuple[str, str] | None:
    """Say from when to when somebody was there."""
    (found,) = con.execute(
        "select cast(min(session_date) as varchar), cast(max(session_date) as varchar)"
        f" from core.sessions where {condition}",
        {"name": name},
    ).fetchall()
    return None if found[0] is None else (found[0], found[1])


def enlist(lake: Lake, persons: Sequence[Person]) -> Request:
    """Put people on the list of those to be forgotten; from here on a run that is killed is ended by the next."""
    known = erasures.read(lake)
    key = erasures.new_key(known)
    entries = {Entry(kind, erasures.hashed(key, value)) for person in persons for kind, value in person.names}
    entries |= {
        Entry("visitor", erasures.hashed(key, value), *times) for person in persons for value, *times in person.shared
    }
    listed = known.entries | {key: sorted({*known.entries.get(key, ()), *entries}, key=repr)}
    kinds = {person.kind for person in persons}
    kind = kinds.pop() if len(kinds) == 1 else "several"
    request = Request(secrets.token_hex(4), datetime.now(UTC).isoformat(), kind, len(persons))
    erasures.write(lake, Erasures(listed, [*known.requests, request]))
    return request


def conclude(lake: Lake, request: Request, found: Sequence[Found], persons: Sequence[Person]) -> None:
    """Note what was found for a request."""
    known = erasures.read(lake)
    days = sorted(day for person in persons for day in person.days or ())
    ended = msgspec.structs.replace(
        request, lines=sum(one.lines for one in found), messages=sum(one.messages for one in found),
        first_day=days[0] if days else None, last_day=days[-1] if days else None,
    )  # fmt: skip
    requests = [ended if one.number == request.number else one for one in known.requests]
    erasures.write(lake, Erasures(known.entries, requests))


def clear(lake: Lake) -> None:
    """Remove what may hold people's rows and is made again, whoever reads it."""
    for name in MADE_ANEW:
        shutil.rmtree(lake.settings.home / name, ignore_errors=True)


def search(home: Path, names: Sequence[str]) -> list[Path]:
    """Find the files of a home that hold an identifier: bytes of eight and more, whole values, JSON, addresses."""
    found = [path for path in files_of(home) if holds_bytes(path, names)]
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for path in files_of(home):
            if path not in found and path.suffix == ".parquet":
                if holds_rows(con, f"read_parquet({sql.text(path)}, hive_partitioning = false)", names):
                    found.append(path)
            elif path not in found and path.suffix == ".duckdb":
                con.execute(f"attach {sql.text(path)} as looked_at (read_only)")
                tables = con.execute(
                    "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
                ).fetchall()
                relations = [f"looked_at.{sql.name(schema)}.{sql.name(table)}" for schema, table in tables]
                if any(holds_rows(con, relation, names) for relation in relations):
                    found.append(path)
                con.execute("detach looked_at")
    return sorted(found)


def files_of(home: Path) -> Iterator[Path]:
    """List the files of a home."""
    return (path for path in sorted(home.rglob("*")) if path.is_file() and not path.is_symlink())


def holds_bytes(path: Path, names: Iterable[str]) -> bool:
    """Say whether a file's bytes hold an identifier that is long enough to be told from chance."""
    needles = [name.encode() for name in names if len(name.encode()) >= PLAIN_BYTES]
    if not needles or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in needles)


def holds_rows(con: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]) -> bool:
    """Say whether a value of a relation is an identifier, or holds one.

    One scan says which columns have the letters of a name somewhere: most have none, and are not looked at closely.
    """
    if not names:
        return False
    described = con.execute(f"describe select * from {relation}").fetchall()
    texts = [text_of(column, kind) for column, kind, *_ in described]
    given = {f"name_{number}": name for number, name in enumerate(names)}
    tests = [" or ".join(f"contains({text}, ${name})" for name in given) for text in texts]
    (seen,) = con.execute(f"select {', '.join(f'bool_or({test})' for test in tests)} from {relation}", given).fetchall()
    return any(
        holds_value(con, relation, text, wanted)
        for text, is_there in zip(texts, seen, strict=True) if is_there
        for wanted in names
    )  # fmt: skip


def text_of(column: str, kind: str) -> str:
    """Say in SQL the text of a column's values."""
    name = sql.name(column)
    return f"coalesce(try(decode({name})), cast({name} as varchar))" if kind == "BLOB" else f"cast({name} as varchar)"


def holds_value(con: duckdb.DuckDBPyConnection, relation: str, text: str, wanted: str) -> bool:
    """Say whether a value of a column is an identifier, or holds one."""
    rows = con.execute(f"select distinct {text} from {relation} where contains({text}, $wanted)", {"wanted": wanted})
    while some := rows.fetchmany(1000):
        if any(len(wanted.encode()) >= PLAIN_BYTES or wanted in set(values_of(cell)) for (cell,) in some):
            return True
    return False
