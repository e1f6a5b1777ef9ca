"""The same logs through plain pandas, as somebody who knows pandas would write it.

Lines to messages, duplicates dropped, clocks corrected, user agents and URLs by distinct value,
sessions, page views, KPIs by day, Parquet. It does less than Bloodhound: no quarantine with reasons,
no bots by rate, no pixel hits, no attribution, no tests, no second run that only does what is new.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import ua_parser
from backports import zstd

from etl.vocabulary.click_ids import NAMES as CLICK_IDS

GAP = pd.Timedelta(minutes=30)
SESSIONLESS = ("backend", "api", "email")
CAMPAIGN = ["utm_source", "utm_medium", "utm_campaign", *CLICK_IDS]
PAGE = ["id", "type", "url", "referrer", "referring_page_id", "referring_click_id", "navigation"]


def open_log(path: Path) -> BinaryIO:
    """Open a log file by its ending."""
    if path.suffix == ".zst":
        return cast(BinaryIO, zstd.open(path, "rb"))
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Give one flat row per message of a file; lines and bodies that are not JSON are left out."""
    with open_log(path) as lines:
        for line in lines:
            try:
                request = json.loads(line)
                batch = json.loads(request["body"])
                messages = batch["messages"]
            except (ValueError, KeyError, TypeError):
                continue
            for position, message in enumerate(messages):
                if not isinstance(message, dict):
                    continue
                page = message.pop("page", None)
                page = page if isinstance(page, dict) else {}
                message["data"] = json.dumps(message.get("data"))
                yield message | {f"page_{key}": page.get(key) for key in PAGE} | {
                    "position": position, "request_id": request.get("request_id"),
                    "received_at": request.get("received_at"), "sent_at": batch.get("sent_at"),
                    "ip": request.get("remote_addr"), "user_agent": request.get("user_agent"),
                }  # fmt: skip


def read_events(inbox: Path) -> pd.DataFrame:
    """Read all event files, one frame a file: dictionaries of a whole log would not fit in memory."""
    files = sorted((inbox / "events").rglob("*.jsonl*"))
    events = pd.concat([pd.DataFrame(read_rows(path)) for path in files], ignore_index=True)
    required = ["id", "schema", "app_id", "platform", "stream_id", "index", "created_at", "visitor_id", "received_at"]
    events = events.dropna(subset=required)
    events = events[events["version"] == 3]  # noqa: PLR2004  (the newest version of the protocol)
    for name in ("received_at", "index"):
        events[name] = pd.to_numeric(events[name], errors="coerce")
    events["received_at"] = pd.to_datetime(events["received_at"], unit="s", utc=True, errors="coerce")
    for name in ("created_at", "sent_at"):
        events[name] = pd.to_datetime(events[name], format="ISO8601", utc=True, errors="coerce")
    return events.dropna(subset=["received_at", "created_at", "index"])


def drop_duplicates(events: pd.DataFrame) -> pd.DataFrame:
    """Keep the first received of each id."""
    return events.sort_values(["received_at", "request_id", "position"]).drop_duplicates("id")


def correct_clocks(events: pd.DataFrame) -> pd.DataFrame:
    """Add event_at: received - (sent - created) where the client's times are in order, else received."""
    kept = events["sent_at"] - events["created_at"]
    events["event_at"] = events["received_at"] - kept.where(kept >= pd.Timedelta(0), pd.Timedelta(0)).fillna(
        pd.Timedelta(0)
    )
    return events


def describe_agents(events: pd.DataFrame) -> pd.DataFrame:
    """Add browser, system and device, parsed once a distinct user agent."""
    distinct = events["user_agent"].dropna().unique()
    parsed = [ua_parser.parse(text) for text in distinct]
    agents = pd.DataFrame(
        {
            "user_agent": distinct,
            "browser": [agent.user_agent.family if agent.user_agent else None for agent in parsed],
            "os": [agent.os.family if agent.os else None for agent in parsed],
            "device": [agent.device.family if agent.device else None for agent in parsed],
        }
    )
    return events.merge(agents, on="user_agent", how="left")


def split_urls(events: pd.DataFrame) -> pd.DataFrame:
    """Add host, path and campaign, split once a distinct URL."""
    rows = []
    for url in events["page_url"].dropna().unique():
        try:
            parts = urlsplit(url)
        except ValueError:
            continue
        query = parse_qs(parts.query)
        rows.append(
            {"page_url": url, "url_host": parts.hostname, "url_path": parts.path}
            | {key: query.get(key, [None])[0] for key in CAMPAIGN}
        )
    urls = pd.DataFrame(rows)
    for name in ("utm_source", "utm_medium"):
        urls[name] = urls[name].str.lower()
    return events.merge(urls, on="page_url", how="left")


def sessionize(events: pd.DataFrame) -> pd.DataFrame:
    """Add session_id and session_start: a new one after 30 idle minutes, or with another campaign."""
    events = events.sort_values(["visitor_id", "event_at", "stream_id", "index", "id"], ignore_index=True)
    is_session = ~events["platform"].isin(SESSIONLESS)
    visits = events[is_session]
    is_gap = visits.groupby("visitor_id")["event_at"].diff().gt(GAP) | visits["visitor_id"].ne(
        visits["visitor_id"].shift()
    )
    run = is_gap.cumsum()
    is_tagged = visits["schema"].eq("page_view") & visits[CAMPAIGN].notna().any(axis=1)
    campaign = pd.util.hash_pandas_object(visits[CAMPAIGN].fillna(""), index=False)
    tagged = campaign[is_tagged]
    before = tagged.groupby(run[is_tagged]).shift()
    is_split = (before.notna() & before.ne(tagged)).reindex(visits.index, fill_value=False)
    session = (is_gap | is_split).cumsum()
    start = visits.groupby(session)["event_at"].transform("first")
    events["session_start"] = start
    stamp = start.astype("datetime64[ms, UTC]").astype("int64").astype("string")
    events["session_id"] = visits["visitor_id"] + "-" + stamp
    return events


def select_page_views(events: pd.DataFrame) -> pd.DataFrame:
    """Select page views, numbered within their session, with the seconds to the next."""
    views = events[events["schema"].eq("page_view")].copy()
    views["is_repeat"] = views.duplicated(["visitor_id", "page_id"])
    counted = views[~views["is_repeat"]].groupby("session_id")
    views["page_number"] = counted.cumcount() + 1
    views["seconds_on_page"] = -counted["event_at"].diff(-1).dt.total_seconds()
    return views


def select_sessions(events: pd.DataFrame, views: pd.DataFrame) -> pd.DataFrame:
    """Make one row per session: its first event's attributes and its counts."""
    sessions = (
        events.dropna(subset=["session_id"])
        .groupby("session_id")
        .agg(
            visitor_id=("visitor_id", "first"), app_id=("app_id", "first"), platform=("platform", "first"),
            browser=("browser", "first"), country=("country", "first"), user_id=("user_id", "last"),
            started_at=("event_at", "first"), ended_at=("event_at", "last"), event_count=("id", "size"),
        )
    )  # fmt: skip
    counted = views[~views["is_repeat"]]
    landing = counted.groupby("session_id").agg(
        page_view_count=("id", "size"), landing_url=("page_url", "first"), landing_referrer=("page_referrer", "first"),
        source=("utm_source", "first"), medium=("utm_medium", "first"), campaign=("utm_campaign", "first"),
    )  # fmt: skip
    sessions = sessions.join(landing)
    sessions["page_view_count"] = sessions["page_view_count"].fillna(0).astype("int64")
    sessions["is_bounce"] = sessions["page_view_count"].eq(1)
    return sessions.reset_index()


def select_orders(events: pd.DataFrame) -> pd.DataFrame:
    """Make one row per order, the first copy of each."""
    orders = events[events["schema"].eq("order")]
    facts = pd.DataFrame(orders["data"].map(json.loads).to_list(), index=orders.index)
    facts["ordered_at"] = orders["event_at"]
    facts["revenue"] = pd.to_numeric(facts["revenue"], errors="coerce")
    return facts.sort_values("ordered_at").drop_duplicates("order_id")


def count_days(sessions: pd.DataFrame, views: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Make one row per day of KPIs."""
    day = sessions["started_at"].dt.date
    daily = sessions.groupby(day).agg(
        visitors=("visitor_id", "nunique"), sessions=("session_id", "size"), bounce_rate=("is_bounce", "mean")
    )
    counted = views[~views["is_repeat"]]
    daily["page_views"] = counted.groupby(counted["event_at"].dt.date).size()
    daily = daily.join(
        orders.groupby(orders["ordered_at"].dt.date).agg(orders=("order_id", "size"), revenue=("revenue", "sum"))
    )
    return daily.rename_axis("date").reset_index()


def run(inbox: Path, out: Path) -> dict[str, int]:
    """Run it all; return the rows of each table written."""
    events = split_urls(describe_agents(correct_clocks(drop_duplicates(read_events(inbox)))))
    events = sessionize(events)
    views = select_page_views(events)
    sessions = select_sessions(events, views)
    orders = select_orders(events)
    tables = {
        "events": events, "page_views": views, "sessions": sessions, "orders": orders,
        "kpi_daily": count_days(sessions, views, orders),
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(out / f"{name}.parquet", compression="zstd", index=False)
    return {name: len(table) for name, table in tables.items()}


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
