"""Sessionize: the accepted messages of a day, cut into sessions, flagged, written as canonical events.

`events(d), carry(d) = f(messages(d), verdicts(d), rates(d), exclusions(d), carry(d - 1))`. The carry
holds each visitor's session that was still open when the day ended. A day is rewritten when what
it is made of has changed, and a change travels to the next day only if the carry changed.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from etl.enrich import addresses, urls
from etl.formats.collector import SESSIONLESS_PLATFORMS, sql_list
from etl.lake import files as lake
from etl.settings import Settings
from etl.stages.deduplicate import stage as verdicts
from etl.stages.exclusions import stage as exclusions
from etl.stages.fast_views import stage as bots
from etl.stages.parse import stage as parse
from etl.vocabulary.columns import EVENT_COUNTS, EVENTS, QUARANTINE

SESSIONIZER_VERSION = 6
DAY_US = 86_400_000_000
ROUND_EVENTS = 2_000_000
"""About how many events are put in order at once: what must be sorted fits into memory, whatever a day brings."""

MOST_SORTED_EVENTS = 1_000_000
"""A day of more is written as it is joined: with all their columns its events would be sorted on disk."""

CARRY = pa.schema(
    [
        ("visitor_id", pa.string()),
        ("session_start_us", pa.int64()),
        ("last_us", pa.int64()),
        ("campaign", pa.uint64()),
        ("session_event_number", pa.int64()),
    ]
)
"""One row per visitor whose session may go on after midnight: its start and last session event (µs),
the hash of its latest campaign, and how many session events it has had."""


@dataclass(frozen=True)
class DayInputs:
    """What one day of events is made of."""

    day: date
    messages: Sequence[Path]
    verdicts: Sequence[Path]
    rates: Sequence[Path]
    excluded: Sequence[exclusions.Exclusion]
    fingerprint: str


def events_path(settings: Settings, day: date) -> Path:
    """Name the day's canonical file, as data scientists find it."""
    return lake.lake_path(settings, "events", f"event_date={day}", "events.parquet")


def version_path(settings: Settings, day: date, fingerprint: str) -> Path:
    """Name the immutable version of a day's canonical file, as the published warehouse reads it."""
    return lake.lake_path(settings, "versions", "events", f"{day}-{fingerprint}.parquet")


def carry_path(settings: Settings, day: date) -> Path:
    return lake.lake_path(settings, "carry", f"event_date={day}", "carry.parquet")


def gather(settings: Settings) -> dict[str, DayInputs]:
    """Bring verdicts and rates up to date; list what each event day is made of (carry apart)."""
    decided = verdicts.update(settings)
    batches = [batch for batch in parse.fresh_batches(settings).values() if batch["source"] != "pixel"]
    messages: dict[str, list[Path]] = {}
    for path in verdicts.outputs(batches, settings, "messages"):
        messages.setdefault(str(lake.partition_day(path)), []).append(path)
    decided = {day: value for day, value in decided.items() if day in messages}
    inputs = {day: digest(sorted(path.name for path in paths), decided.get(day)) for day, paths in messages.items()}
    verdict_files = {day: verdicts.verdict_path(settings, date.fromisoformat(day)) for day in decided}
    rates = bots.update(settings, inputs, messages, verdict_files)
    rules, _ = exclusions.read_exclusions(settings)
    gathered = {}
    for name in sorted(messages):
        day = date.fromisoformat(name)
        excluded = [rule for rule in rules if rule.overlaps(day)]
        gathered[name] = DayInputs(
            day=day,
            messages=sorted(messages[name]),
            verdicts=[verdict_files[name]] if name in verdict_files else [],
            rates=[bots.rate_path(settings, day)] if name in rates else [],
            excluded=excluded,
            fingerprint=digest(
                SESSIONIZER_VERSION, settings.session_gap_minutes, inputs[name], rates.get(name),
                settings.ip_addresses, digest(settings.ip_key.get_secret_value()),
                [(rule.kind, rule.value, str(rule.since), str(rule.until)) for rule in excluded],
            ),
        )  # fmt: skip
    return gathered


def digest(*parts: object) -> str:
    """Name a combination of inputs."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def stale_days(settings: Settings, gathered: Mapping[str, DayInputs]) -> list[str]:
    """The days whose inputs or carry changed, and those that have no messages any more."""
    days = lake.manifests(settings, "days")
    changed = []
    for day, inputs in gathered.items():
        written = days.get(day, {})
        before = (inputs.day - timedelta(days=1)).isoformat()
        carried = days.get(before, {}).get("carry", "none")
        if (written.get("inputs"), written.get("carried_from")) != (inputs.fingerprint, carried):
            changed.append(day)
    return sorted({*changed, *(day for day in days if day not in gathered)})


def sessionize(
    settings: Settings, redo: Sequence[date] = (), advance: Callable[[str], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Rewrite the days that need it, each with the carry of the day before; return their manifests.

    Args:
        redo: days rewritten even when they are fresh.
        advance: told each day done.
    """
    gathered = gather(settings)
    waiting = set(stale_days(settings, gathered)) | {day.isoformat() for day in redo if day.isoformat() in gathered}
    known = lake.manifests(settings, "days")
    done: list[dict[str, Any]] = []
    while waiting:
        name = min(waiting)
        waiting.remove(name)
        manifest = write_day(settings, gathered[name]) if name in gathered else withdraw_day(settings, name)
        done.append(manifest)
        advance(name)
        following = (date.fromisoformat(name) + timedelta(days=1)).isoformat()
        carried = known.get(following, {}).get("carried_from", "none")
        if following in gathered and carried != manifest["carry"]:
            waiting.add(following)
    return done


def write_day(settings: Settings, inputs: DayInputs) -> dict[str, Any]:
    """Write one day's events, carry, counts and collisions; commit; return the manifest."""
    name = inputs.day.isoformat()
    before = lake.read_manifest(lake.manifest_path(settings, "days", (inputs.day - timedelta(days=1)).isoformat()))
    carried_from = before["carry"] if before else "none"
    carried = [carry_path(settings, inputs.day - timedelta(days=1))] if carried_from != "none" else []
    version = digest(inputs.fingerprint, carried_from)
    with lake.staging(settings) as folder:
        with lake.engine(settings, folder) as con:
            load_narrow(con, inputs, carried)
            carry = assign_sessions(con, inputs.day, settings.session_gap_minutes * 60_000_000)
            flag_exclusions(con, inputs)
            mask_addresses(con, settings)
            write_events(con, inputs, folder / "events.parquet")
            counts = count_messages(con, inputs)
            collisions = con.execute(
                "select file_id, message_ref from verdicts where verdict = 'id_collision' order by 1, 2"
            ).fetchall()
            session_dates = [
                str(day)
                for (day,) in con.execute(
                    f"select distinct session_date from {lake.scan([folder / 'events.parquet'])} order by 1"
                ).fetchall()
            ]
        quarantined = quarantine_collisions(settings, inputs, collisions)
        immutable = version_path(settings, inputs.day, version)
        lake.move_into_place(folder / "events.parquet", immutable)
        os.link(immutable, folder / "linked.parquet")
        lake.move_into_place(folder / "linked.parquet", events_path(settings, inputs.day))
    lake.write_table(carry_path(settings, inputs.day), carry)
    lake.write_table(lake.lake_path(settings, "ledger", "event_counts", f"event_date={name}.parquet"), counts)
    collided = lake.lake_path(settings, "quarantine", f"collisions-{name}.parquet")
    if quarantined.num_rows:
        lake.write_table(collided, quarantined)
    else:
        collided.unlink(missing_ok=True)
    manifest = {
        "day": name, "inputs": inputs.fingerprint, "carried_from": carried_from, "version": version,
        "carry": digest(carry.to_pylist()) if carry.num_rows else "none",
        "events": sum(counts["accepted"].to_pylist()), "duplicates": sum(counts["duplicates"].to_pylist()),
        "collisions": len(collisions), "session_dates": session_dates,
    }  # fmt: skip
    lake.write_manifest(lake.manifest_path(settings, "days", name), manifest)
    return manifest


def write_events(con: duckdb.DuckDBPyConnection, inputs: DayInputs, path: Path) -> None:
    """Write the day's canonical events, sorted by visitor and time as far as they can be sorted in memory."""
    is_sorted = con.execute("select count(*) <= $most from assigned", {"most": MOST_SORTED_EVENTS}).fetchall()[0][0]
    order = "order by visitor_id, event_at" if is_sorted else ""
    # What is sorted is written in its order; else the order in which rows are ready costs least.
    con.execute(f"set preserve_insertion_order = {is_sorted}")
    con.execute(f"copy ({select_events(con, inputs)} {order}) to '{parse.sql_text(path)}' ({lake.EVENTS_PARQUET})")
    con.execute("set preserve_insertion_order = false")


def withdraw_day(settings: Settings, name: str) -> dict[str, Any]:
    """Take away a day that has no messages any more."""
    day = date.fromisoformat(name)
    gone = lake.read_manifest(lake.manifest_path(settings, "days", name)) or {}
    for path in (
        events_path(settings, day), carry_path(settings, day),
        lake.lake_path(settings, "ledger", "event_counts", f"event_date={name}.parquet"),
        lake.lake_path(settings, "quarantine", f"collisions-{name}.parquet"),
        lake.manifest_path(settings, "days", name),
    ):  # fmt: skip
        path.unlink(missing_ok=True)
    return gone | {"day": name, "carry": "none", "events": 0, "duplicates": 0, "collisions": 0}


def load_narrow(con: duckdb.DuckDBPyConnection, inputs: DayInputs, carried: Sequence[Path]) -> None:
    """Make `messages` (view), `verdicts`, `rates`, `carried` and `narrow`.

    `narrow` has one row per accepted message, only what sessions need: visitor (a number), event_us,
    sequence (the contract's order of session events within a visitor), is_session_event, campaign
    (hash of the six values of a tagged page view, else null), file_id, message_ref.
    """
    con.execute(f"create temp view messages as select * from {lake.scan(inputs.messages)}")
    con.execute(f"create temp table verdicts as select * from {verdicts.scan_verdicts(inputs.verdicts)}")
    rates = (
        lake.scan(inputs.rates)
        if inputs.rates
        else "(select null::ubigint as file_id, null::bigint as message_ref where false)"
    )
    con.execute(f"create temp table rates as select * from {rates}")
    empty = ", ".join(f"null::{kind} as {name}" for name, kind in (
        ("visitor_id", "varchar"), ("session_start_us", "bigint"), ("last_us", "bigint"),
        ("campaign", "ubigint"), ("session_event_number", "bigint"),
    ))  # fmt: skip
    source = lake.scan(carried) if carried else f"(select {empty} where false)"
    con.execute(f"create temp table carried as select * from {source}")
    # Lengths keep a value that holds the separator from looking like two.
    keys = ", ".join(f"coalesce(length({key}) || ':' || {key}, '')" for key in urls.CAMPAIGN_KEYS)
    tagged = " or ".join(f"{key} is not null" for key in urls.CAMPAIGN_KEYS)
    con.execute(
        f"""
        create temp table accepted as
        select
            visitor_id, epoch_us(event_at) as event_us, stream_id, message_index, event_id,
            platform not in ({sql_list(SESSIONLESS_PLATFORMS)}) as is_session_event,
            case when schema = 'page_view' and ({tagged})
                then md5_number_lower(concat_ws(chr(31), {keys})) end as campaign,
            file_id, message_ref
        from messages
        anti join (select file_id, message_ref from verdicts where verdict <> 'repeat') as refused
            using (file_id, message_ref)
        """
    )
    con.execute(
        """
        create temp table visitors as
        select visitor_id, cast(row_number() over () as integer) as visitor
        from (select visitor_id from accepted union select visitor_id from carried)
        """
    )
    # Strings are compared only where two events of a visitor share a microsecond.
    con.execute(
        """
        create temp table narrow as
        with numbered as (
            select visitor, accepted.* exclude (visitor_id) from accepted inner join visitors using (visitor_id)
        ),
        simultaneous as (
            select visitor, event_us from numbered group by visitor, event_us having count(*) > 1
        ),
        ties as (
            select
                file_id, message_ref,
                row_number() over (
                    partition by visitor, event_us
                    order by stream_id nulls last, message_index nulls last, event_id
                ) as tie
            from numbered semi join simultaneous using (visitor, event_us)
        )
        select
            visitor, event_us, cast(coalesce(tie, 0) as integer) as tie, is_session_event, campaign,
            file_id, message_ref
        from numbered left join ties using (file_id, message_ref)
        """
    )
    con.execute("drop table accepted")


def assign_sessions(con: duckdb.DuckDBPyConnection, day: date, gap_us: int) -> pa.Table:
    """Make `assigned` of all of `narrow`, which goes; return what the next day is handed (columns of `CARRY`).

    `assigned`: file_id, message_ref, visitor, session_start_us, session_event_number. Visitors know nothing of
    each other, so a large day is cut some of them at a time, instead of in sorts that spill.
    """
    con.execute(
        "create temp table assigned ("
        "file_id ubigint, message_ref bigint, visitor integer, session_start_us bigint, session_event_number integer)"
    )
    ((events,),) = con.execute("select count(*) from narrow").fetchall()
    rounds = max(1, -(-events // ROUND_EVENTS))
    carries = []
    for number in range(rounds):
        chosen = f"where visitor % {rounds} = {number}" if rounds > 1 else ""
        con.execute(f"create or replace temp view chosen as select * from narrow {chosen}")
        con.execute(f"create or replace temp view chosen_visitors as select * from visitors {chosen}")
        cut_sessions(con, gap_us)
        assign_sessionless(con, gap_us)
        carries.append(select_carry(con, day, gap_us))
        con.execute("drop table session_events")
    con.execute("drop view chosen")
    con.execute("drop table narrow")
    return pa.concat_tables(carries).sort_by("visitor_id")


def cut_sessions(con: duckdb.DuckDBPyConnection, gap_us: int) -> None:
    """Make `session_events`: the session events of `chosen`, and the carried ones, with their session.

    Adds session_start_us and session_event_number. A session starts after more than `gap_us`, or at
    a page view whose campaign differs from the session's latest, but not within the millisecond in
    which a session starts.
    """
    con.execute(
        f"""
        create temp table gapped as
        with ordered as (
            select
                visitor, event_us, tie, campaign, file_id, message_ref,
                null::bigint as carried_start_us, 1::bigint as weight
            from chosen where is_session_event
            union all
            select visitor, last_us, -1, campaign, null, null, session_start_us, session_event_number
            from carried inner join chosen_visitors using (visitor_id)
        ),
        paused as (
            select
                *,
                coalesce(event_us - lag(event_us) over visits > {gap_us}, true) as is_gap,
                row_number() over visits as visit_number
            from ordered
            window visits as (partition by visitor order by event_us, tie)
        )
        select
            * exclude (visit_number),
            last_value(case when is_gap then coalesce(carried_start_us, event_us) end ignore nulls) over visits
                as run_start_us,
            visit_number - last_value(case when is_gap then visit_number - weight end ignore nulls) over visits
                as run_event_number
        from paused
        window visits as (partition by visitor order by event_us, tie)
        """
    )
    con.execute(
        """
        create temp table splits as
        with tagged as (
            select
                *,
                lag(campaign) over (partition by visitor, run_start_us order by event_us, tie) as campaign_before
            from gapped where campaign is not null
        ),
        candidates as (
            select *, event_us // 1000 as event_ms
            from tagged
            where campaign <> campaign_before and event_us // 1000 <> run_start_us // 1000
        )
        select visitor, file_id, message_ref from candidates
        qualify row_number() over (partition by visitor, run_start_us, event_ms order by event_us, tie) = 1
        """
    )
    # Few visitors change their campaign within a run: only theirs are sorted again.
    con.execute(
        """
        create temp table session_events as
        with started as (
            select
                gapped.visitor, event_us, tie, campaign, gapped.file_id, gapped.message_ref, weight,
                case when is_gap then coalesce(carried_start_us, event_us)
                    when splits.file_id is not null then event_us end as start_us
            from gapped
            left join splits on gapped.file_id = splits.file_id and gapped.message_ref = splits.message_ref
            where gapped.visitor in (select visitor from splits)
        ),
        assigned as (
            select
                *,
                last_value(start_us ignore nulls) over (partition by visitor order by event_us, tie) as session_start_us
            from started
        )
        select
            visitor, event_us, tie, campaign, file_id, message_ref,
            run_start_us as session_start_us, run_event_number as session_event_number
        from gapped where visitor not in (select visitor from splits)
        union all
        select
            * exclude (start_us, weight),
            cast(
                sum(weight) over (partition by visitor, session_start_us order by event_us, tie) as bigint
            ) as session_event_number
        from assigned
        """
    )
    con.execute("drop table gapped")
    con.execute("drop table splits")


def assign_sessionless(con: duckdb.DuckDBPyConnection, gap_us: int) -> None:
    """Add all of `chosen` to `assigned`.

    Backend, api and email events belong to the visitor's latest-started session that is open then.
    """
    con.execute(
        f"""
        insert into assigned
        with sessions as (
            select visitor, session_start_us, max(event_us) as last_us
            from session_events
            where visitor in (select visitor from chosen where not is_session_event)
            group by visitor, session_start_us
        )
        select file_id, message_ref, visitor, session_start_us, session_event_number
        from session_events where file_id is not null
        union all
        select
            file_id, message_ref, chosen.visitor,
            case when chosen.event_us <= sessions.last_us + {gap_us} then sessions.session_start_us end,
            null
        from chosen
        asof left join sessions
            on chosen.visitor = sessions.visitor and chosen.event_us >= sessions.session_start_us
        where not chosen.is_session_event
        """
    )


def select_carry(con: duckdb.DuckDBPyConnection, day: date, gap_us: int) -> pa.Table:
    """Select the sessions that an event of the next day could still extend (columns of `CARRY`)."""
    end_us = ((day - date(1970, 1, 1)).days + 1) * DAY_US
    return (
        con.sql(
            f"""
        select
            visitor_id, session_start_us, max(event_us) as last_us,
            arg_max(campaign, session_event_number) filter (campaign is not null) as campaign,
            max(session_event_number) as session_event_number
        from session_events inner join visitors using (visitor)
        where visitor in (select visitor from session_events where event_us + {gap_us} >= {end_us})
        group by visitor_id, session_start_us
        having max(event_us) + {gap_us} >= {end_us}
        qualify row_number() over (partition by visitor_id order by session_start_us desc) = 1
        """
        )
        .to_arrow_table()
        .cast(CARRY)
    )


def flag_exclusions(con: duckdb.DuckDBPyConnection, inputs: DayInputs) -> None:
    """Make `excluded` (kind, value, since, until) of the day's exclusions; networks as addresses."""
    addresses = (
        con.execute("select distinct ip from messages").fetchall()
        if any(rule.kind == "ip" for rule in inputs.excluded)
        else []
    )
    con.register("excluded", exclusions.as_table(inputs.excluded, [address for (address,) in addresses]))


def mask_addresses(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Make `shown_addresses` (ip, shown_ip) of the day's addresses; empty when they are kept."""
    how, key = settings.ip_addresses, settings.ip_key.get_secret_value()
    found = [] if how == "keep" else con.execute("select distinct ip from messages where ip is not null").fetchall()
    con.register("shown_addresses", addresses.masked((ip for (ip,) in found), how, key))


def select_events(con: duckdb.DuckDBPyConnection, inputs: DayInputs) -> str:
    """Say in SQL the day's canonical events, columns of `EVENTS` but the partition's."""
    if inputs.excluded:
        keys = {"session": "session_id", "visitor": "visitor_id", "user": "user_id", "ip": "ip"}
        hits = " or ".join(
            f"exists (select 1 from excluded where kind = '{kind}' and value = flagged.{column}"
            " and event_at >= coalesce(since, event_at) and (until is null or event_at < until))"
            for kind, column in keys.items()
            if any(rule.kind == kind for rule in inputs.excluded)
        )
        is_excluded = f"({hits})"
    else:
        is_excluded = "false"
    # Exclusions by address see the whole of it.
    is_masked = con.execute("select count(*) from shown_addresses").fetchall() != [(0,)]
    shown_ip = "shown_ip as ip" if is_masked else "ip"
    columns = ", ".join(
        {"is_excluded": f"{is_excluded} as is_excluded", "ip": shown_ip}.get(field.name, field.name)
        for field in EVENTS
        if field.name != "event_date"
    )
    return f"""
        select {columns}
        from (
            select
                messages.* exclude (ua_bot_reason),
                messages.visitor_id || '-' || (session_start_us // 1000) as session_id,
                coalesce(cast(make_timestamp(session_start_us) as date), date '{inputs.day}') as session_date,
                cast(session_event_number as integer) as session_event_number,
                platform not in ({sql_list(SESSIONLESS_PLATFORMS)}) as is_session_event,
                case when schema = 'page_view' then repeats.file_id is not null end as is_repeat,
                coalesce(ua_bot_reason, case when rates.file_id is not null then 'rate' end) as bot_reason,
                bot_reason is not null as is_bot
            from messages
            inner join assigned
                on messages.file_id = assigned.file_id and messages.message_ref = assigned.message_ref
            left join (select file_id, message_ref from verdicts where verdict = 'repeat') as repeats
                on messages.file_id = repeats.file_id and messages.message_ref = repeats.message_ref
            left join rates on messages.file_id = rates.file_id and messages.message_ref = rates.message_ref
        ) as flagged
        {"left join shown_addresses using (ip)" if is_masked else ""}
    """


def count_messages(con: duckdb.DuckDBPyConnection, inputs: DayInputs) -> pa.Table:
    """Count what became of the messages of each file, app, platform and tracker (columns of `EVENT_COUNTS`).

    `resent` are the duplicates that were sent again: not the same line in a file that was delivered again.
    """
    return (
        con.sql(
            """
        with refused as (
            select file_id, message_ref, verdict from verdicts where verdict <> 'repeat'
        ),
        judged as (
            select
                messages.file_id, source_file, app_id, platform, tracker, verdict, event_id, received_at, request_id,
                position, messages.message_ref, stream_id is not null and message_index is not null as is_streamed
            from messages
            left join refused on messages.file_id = refused.file_id and messages.message_ref = refused.message_ref
        ),
        resent as (
            select file_id, message_ref, is_streamed
            from (
                select * from judged
                where event_id in (select event_id from judged where verdict = 'duplicate')
                    and verdict is distinct from 'id_collision'
            )
            qualify
                verdict = 'duplicate'
                and row_number() over (
                    partition by event_id, received_at, request_id, position
                    order by verdict nulls first, source_file, message_ref
                ) = 1
        )
        select
            judged.file_id, source_file, app_id, platform, tracker,
            count(*) filter (verdict is null) as accepted,
            count(*) filter (verdict = 'duplicate') as duplicates,
            count(*) filter (verdict = 'id_collision') as collisions,
            count(resent.file_id) as resent,
            count(resent.file_id) filter (resent.is_streamed) as resent_streamed,
            $day as event_date
        from judged
        left join resent on judged.file_id = resent.file_id and judged.message_ref = resent.message_ref
        group by judged.file_id, source_file, app_id, platform, tracker
        order by source_file, file_id, app_id, platform, tracker
        """,
            params={"day": inputs.day},
        )
        .to_arrow_table()
        .cast(EVENT_COUNTS)
    )


def quarantine_collisions(settings: Settings, inputs: DayInputs, collisions: Sequence[tuple[int, int]]) -> pa.Table:
    """Quarantine messages whose id belongs to another message with other content (columns of `QUARANTINE`)."""
    if not collisions:
        return QUARANTINE.empty_table()
    texts = verdicts.message_texts(settings, set(collisions))
    files = parse.landed_files(settings)
    with lake.staging(settings) as folder, lake.engine(settings, folder) as con:
        wanted = pa.table(
            {
                "file_id": pa.array([number for number, _ in collisions], pa.uint64()),
                "message_ref": pa.array([reference for _, reference in collisions], pa.int64()),
            }
        )
        con.register("wanted", wanted)
        received = con.execute(
            "select file_id, message_ref, received_at, event_id, schema, app_id, platform, tracker, stream_id,"
            f" message_index from {lake.scan(inputs.messages)} inner join wanted using (file_id, message_ref)"
        ).fetchall()
    rows = [
        {
            "source_file": files[number]["source_file"], "line_number": reference >> 24,
            "position": reference & 0xFFFFFF,
            "reason": "id_collision", "detail": f"id {said[0]} belongs to another message with other content",
            "payload": texts[number, reference].sent, "received_at": received_at, "file_id": number,
            **dict(zip(QUARANTINE.names[-len(said):], said, strict=True)),
        }
        for number, reference, received_at, *said in sorted(received, key=lambda row: row[:2])
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=QUARANTINE)
