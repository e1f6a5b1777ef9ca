"""What became of probes: each run that was sent is looked for in the marts, and in the lake where it is lost."""

from collections.abc import Sequence
from typing import Any

import duckdb

from etl.errors import BadUse
from etl.lake import sql
from etl.lake.catalogue import Lake, write_note
from etl.lake.landed import landed_files, landings
from etl.lake.manifests import Publication
from etl.lake.published import published
from etl.settings import Settings
from etl.tools import trace
from etl.tools.probe import DIGESTED, KINDS, PATIENCE, Row, note_path, read_notes


def look_for_probes(settings: Settings) -> list[dict[str, Any]]:
    """Look for the probes that were sent from this home; a row a run, the oldest first.

    Raises:
        BadUse: nothing has been published yet, or no probe was sent.
    """
    lake = Lake(settings)
    if not read_notes(lake):
        raise BadUse(f"no probe was sent from {settings.home}", "Send one: python -m etl probe")
    commits = lake.commits("publish", Publication)
    publication = commits[0].units["warehouse"].fingerprint.data if commits else None
    with published(settings) as con:
        runs = look(lake, con, publication)
    notes = {note["run"]: note for note in read_notes(lake) if "answers" in note}
    for run in runs:
        if run["is_open"] and run["run"] in notes:
            say_where_lost(lake, run, notes[run["run"]])
    return runs


def say_where_lost(lake: Lake, run: dict[str, Any], note: dict[str, Any]) -> None:
    """Say of what is lost of a run that went over the network where it was last seen."""
    sent = {message["number"]: message for message in note["messages"]}
    for message in run["messages"]:
        number = message["message_number"]
        if message["status"] == "lost" and number in sent:
            message["last_seen"] = last_seen(lake, sent[number], note["answers"].get(str(number)))
    if not run["messages"]:
        run["last_seen"] = last_seen(lake, note["messages"][0], note["answers"].get("1"))


def vanished(runs: Sequence[dict[str, Any]]) -> list[str]:
    """Name the runs of which nothing has arrived, and after which none came through whole."""
    return [run["run"] for run in runs if run["is_open"] and run["state"] == "lost" and not run["messages"]]


def look(lake: Lake, con: duckdb.DuckDBPyConnection, publication: str | None) -> list[Row]:
    """Look for each run that was sent from this home in the published marts; note what is known of it now.

    Args:
        con: the published warehouse.
        publication: its digest.

    Returns:
        A row a run, the oldest first: `run`, `state` (found, late, changed, lost; waiting while it may yet come),
        `messages` (of `quality.probes`, `differences` with them; none of a run that nothing is heard of), `is_open`.
        Open is what nothing later has answered: of the runs since the latest that came through whole.
    """
    judged = []
    for note in read_notes(lake):
        messages = published_messages(con, note)
        passed = note["passed"]
        if messages:
            states = {message["status"] for message in messages}
            state = next((name for name in ("lost", "changed", "late") if name in states), "found")
        else:
            if may_hold(con, note):
                passed = passed if publication in passed or publication is None else [*passed, publication][-PATIENCE:]
            is_gone = bool(note["files"]) and not any(
                (lake.settings.inbox / name).exists() or is_landed(lake, name)
                for name in note["files"]
                if name.startswith("events/")
            )
            state = "lost" if is_gone or len(passed) >= PATIENCE else "waiting"
        if (state, passed) != (note["state"], note["passed"]):
            write_note(note_path(lake, note["run"]), note | {"state": state, "passed": passed})
        judged.append({"run": note["run"], "state": state, "sent_at": note["sent_at"], "messages": messages})
    whole = max((number for number, run in enumerate(judged) if run["state"] in ("found", "late")), default=-1)
    return [run | {"is_open": number >= whole} for number, run in enumerate(judged)]


def may_hold(con: duckdb.DuckDBPyConnection, note: Row) -> bool:
    """Tell whether a publication could know of a run: what went over the network comes with its hour."""
    if note["files"]:
        return True
    ((is_later,),) = con.execute(
        "select max(received_at) > $sent::timestamptz from core.events", {"sent": note["sent_at"]}
    ).fetchall()
    return bool(is_later)


def published_messages(con: duckdb.DuckDBPyConnection, note: Row) -> list[Row]:
    """Read what `quality.probes` says of a run, with the fields that differ from what was sent."""
    tables = "select 1 from information_schema.tables where table_schema = 'quality' and table_name = 'probes'"
    if not con.execute(tables).fetchall():
        return []  # Published by a version that knew no probes.
    found = con.execute(
        """
        select message_number, kind, expected, found_as, status, late_seconds
        from quality.probes where run_id = $run and run_kinds = $kinds order by message_number
        """,
        {"run": note["run"], "kinds": "".join(message["letter"] for message in note["messages"])},
    )
    names = [column[0] for column in found.description]
    messages = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    by_number = {message["number"]: message for message in note["messages"]}
    for message in messages:
        is_odd = message["status"] == "changed" and message["kind"] != KINDS["h"]
        message["differences"] = find_differences(con, by_number[message["message_number"]]) if is_odd else []
    return messages


def find_differences(con: duckdb.DuckDBPyConnection, message: Row) -> list[str]:
    """Say which fields of an accepted event are not as they were sent."""
    rows = con.execute(
        """
        select schema, app_id, platform, tracker, stream_id, message_index, visitor_id, page_id, url, referrer,
            user_agent, country, locale, epoch_ms(created_at), coalesce(data ->> '$.word', data ->> '$.title')
        from core.events where event_id = $id
        """,
        {"id": message["id"]},
    ).fetchall()
    return [
        f"{name}: {found!r}, sent {message['fields'].get(name)!r}"
        for row in rows
        for name, found in zip(DIGESTED, row, strict=True)
        if found != message["fields"].get(name)
    ]


def is_landed(lake: Lake, source_file: str) -> bool:
    """Tell whether a file of the inbox has landed, whatever has become of it there."""
    return any(landing.source_file == source_file for landing in landings(lake))


def describe(run: Row) -> list[str]:
    """Say in words what became of a run."""
    counts = {
        state: sum(message["status"] == state for message in run["messages"])
        for state in ("found", "late", "changed", "lost")
    }
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    if not run["messages"]:
        said = {"lost": "lost: nothing of it has arrived", "waiting": "waiting: run the pipeline, then look again"}[
            run["state"]
        ]
    seen = f"; last seen {run['last_seen']}" if run.get("last_seen") else ""
    lines = [f"probe {run['run']}: {said}{seen}"]
    for message in run["messages"]:
        if message["status"] != "found":
            late = f" {message['late_seconds']:,.0f} s after it was sent" if message["status"] == "late" else ""
            lines.append(
                f"  {message['message_number']} {message['kind']}: {message['status']}{late}; expected"
                f" {message['expected']}, found as {message['found_as'] or 'nothing'}"
                + "".join(f"; {difference}" for difference in message["differences"])
                + (f"; last seen {message['last_seen']}" if message.get("last_seen") else "")
            )
    return lines


def last_seen(lake: Lake, message: Row, answer: str | None) -> str:
    """Say at which stage a message that is in no mart was last seen."""
    with lake.workbench() as con:
        if trace.find_messages(con, lake, message["id"], None):
            where = "parsed, and in no publication yet"
        elif refused := trace.find_refused(con, lake, message["id"], None):
            where = f"in quarantine: {refused[0]['reason']}, {refused[0]['detail']}"
        elif has_landed(con, lake, message["id"]):
            where = "landed, in a line that holds no message"
        else:
            where = "at the collector"
    return f"{where}, whose answer was {answer}" if answer else where


def has_landed(con: duckdb.DuckDBPyConnection, lake: Lake, text: str) -> bool:
    """Search the raw lines for an id."""
    paths = [path for file in landed_files(lake).values() for path in file.parts.values()]
    if not paths:
        return False
    found = con.execute(
        f"select 1 from {sql.scan_named(paths)} where contains(cast(line as varchar), $text) limit 1", {"text": text}
    )
    return bool(found.fetchall())
