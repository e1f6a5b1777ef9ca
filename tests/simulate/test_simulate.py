"""The simulator: the same plan gives the same bytes, and the truth agrees with the logs."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from backports import zstd

from etl.enrich.user_agents import bot_reasons
from etl.errors import BadUse
from etl.simulate import Incident, Plan, simulate
from etl.simulate.agents import declared_bots, desktop, mobile

MESSAGES = 6_000
MESSAGE_KEYS = (
    "version", "id", "schema", "app_id", "platform", "stream_id", "created_at", "visitor_id",
)  # fmt: skip
PIXEL_LINE = re.compile(
    r"(?P<ip>\S+) - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"GET /px\.gif\?e=(?P<page>[0-9a-f-]{36})&a=\w+&p=\w+&v=v[0-9a-f]{16} HTTP/1\.1" 200 43 '
    r'"https://[^"]*" "[^"]*"'
)


def text_of(folder: Path) -> str:
    return "".join(zstd.decompress(file.read_bytes()).decode() for file in sorted(folder.rglob("*.zst")))


def requests(inbox: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text_of(inbox / "events").splitlines()]


def messages(inbox: Path) -> list[dict[str, Any]]:
    return [
        message for request in requests(inbox) if request["body"] for message in json.loads(request["body"])["messages"]
    ]


def truth(inbox: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(inbox.parent / "truth" / f"{table}.parquet").to_pylist()
    return rows


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days without bad lines, where counters restart and batches come again."""
    path = tmp_path_factory.mktemp("simulated") / "inbox"
    simulate(path, messages=MESSAGES, days=2, garbage=0.0, retries=0.05, restarts=0.0)
    return path


def test_same_plan_gives_same_bytes(tmp_path: Path) -> None:
    plan = Plan(messages=2_000, days=2, seed=3, exclusions=True, access=True)
    simulate(tmp_path / "one" / "inbox", plan)
    simulate(tmp_path / "two" / "inbox", plan)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_no_uninitialised_memory_reaches_the_files(tmp_path: Path) -> None:
    """glibc fills what is allocated with another byte in each process: the files must not tell."""
    program = "import sys; from pathlib import Path; from etl.simulate import Plan, simulate; "
    program += "simulate(Path(sys.argv[1]), Plan(messages=300, days=1, seed=3, exclusions=True, access=True))"
    for byte in ("1", "254"):
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / byte / "inbox")],
            env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_PERTURB_": byte},
            check=True,
        )
    assert digests(tmp_path / "1") == digests(tmp_path / "254")


def test_another_seed_is_another_crowd(tmp_path: Path) -> None:
    crowds = []
    for seed in (1, 2):
        inbox = tmp_path / str(seed) / "inbox"
        simulate(inbox, messages=500, days=1, seed=seed, garbage=0.0)
        crowds.append({message["visitor_id"] for message in messages(inbox)})
    one, two = crowds
    assert len(one) > 10
    assert one.isdisjoint(two)


def test_messages_are_about_as_many_as_asked_for(inbox: Path) -> None:
    assert len(truth(inbox, "messages")) == pytest.approx(MESSAGES, rel=0.15)


def test_every_line_is_a_request_and_every_message_has_its_keys(inbox: Path) -> None:
    for request in requests(inbox):
        assert {"request_id", "received_at", "path", "body"} <= request.keys()
    for message in messages(inbox):
        assert all(message[key] for key in MESSAGE_KEYS)
        assert message["index"] >= 0
        if message["schema"] == "page_view":
            assert message["page"]["id"]
            assert message["page"]["url"].startswith("https://")


def test_lines_stand_in_the_hour_and_order_of_their_arrival(inbox: Path) -> None:
    for file in (inbox / "events").rglob("*.zst"):
        text = zstd.decompress(file.read_bytes()).decode()
        times = [json.loads(line)["received_at"] for line in text.splitlines()]
        assert times == sorted(times)
        assert len({int(time // 3600) for time in times}) == 1


def test_truth_balances_with_the_log(inbox: Path) -> None:
    arrived = Counter(message["id"] for message in messages(inbox))
    told = {row["event_id"]: row for row in truth(inbox, "messages")}
    assert arrived == {id_: row["copies"] for id_, row in told.items() if row["copies"]}
    assert all((row["status"] == "received") == (row["copies"] > 0) for row in told.values())
    summary = json.loads((inbox.parent / "truth" / "truth.json").read_text())["messages"]
    fates = Counter(row["status"] for row in told.values())
    assert summary["made"] == sum(fates.values())
    assert summary["received"] == fates["received"] == len(arrived)
    assert summary["duplicates"] == arrived.total() - len(arrived) > 0


def test_index_gaps_are_the_planted_losses(inbox: Path) -> None:
    seen = defaultdict(set)
    for message in messages(inbox):
        seen[message["stream_id"]].add(message["index"])
    lost = sum(
        min(seen[row["stream_id"]]) < row["message_index"] < max(seen[row["stream_id"]])
        for row in truth(inbox, "messages")
        if row["status"] != "received" and row["stream_id"] in seen
    )
    gaps = sum(max(indexes) - min(indexes) + 1 - len(indexes) for indexes in seen.values())
    assert gaps == lost > 0


def test_every_pixel_line_parses_and_the_hits_are_the_truth(inbox: Path) -> None:
    lines = [PIXEL_LINE.fullmatch(line) for line in text_of(inbox / "pixel").splitlines()]
    assert all(lines)
    hits = {line["page"] for line in lines if line}
    viewed = {
        message["page"]["id"]
        for message in messages(inbox)
        if message["schema"] == "page_view" and message["platform"].endswith("_web")
    }
    told = truth(inbox, "loss_hourly")
    assert len(hits) == sum(row["pixel_hits"] for row in told)
    assert len(viewed) == sum(row["event_page_views"] for row in told)
    assert len(hits - viewed) == sum(row["only_pixel"] for row in told)
    assert len(viewed - hits) == sum(row["only_event"] for row in told)


def test_orders_have_a_client_and_a_backend_copy(inbox: Path) -> None:
    copies = defaultdict(set)
    for message in messages(inbox):
        if message["schema"] == "order":
            copies[message["data"]["order_id"]].add(message["platform"] == "backend")
    told = {
        row["order_id"]: {
            backend
            for backend, status in ((True, row["backend_status"]), (False, row["client_status"]))
            if status == "received"
        }
        for row in truth(inbox, "orders")
    }
    assert copies == {order: kinds for order, kinds in told.items() if kinds}


def test_pages_refer_to_pages_and_clicks_of_the_log(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=3_000, days=1, loss=0.0, late=0.0, garbage=0.0)
    log = messages(tmp_path / "inbox")
    views = [message["page"] for message in log if message["schema"] == "page_view"]
    clicks = {message["data"]["click_id"] for message in log if message["schema"] == "click"}
    assert {page["referring_page_id"] for page in views} - {None} <= {page["id"] for page in views}
    assert {page["referring_click_id"] for page in views} - {None} <= clicks


def test_clock_rule_of_the_contract_gives_the_true_times_back(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=3_000, days=1, wrong_clocks=0.3, retries=0.0, garbage=0.0)
    happened = {row["event_id"]: row["happened_at"] for row in truth(tmp_path / "inbox", "messages")}
    off = []
    for request in requests(tmp_path / "inbox"):
        batch = json.loads(request["body"])
        sent = datetime.fromisoformat(batch["sent_at"])
        for message in batch["messages"]:
            age = sent - datetime.fromisoformat(message["created_at"])
            if age >= timedelta(0):
                at = datetime.fromtimestamp(request["received_at"], UTC) - age
                off.append((at - happened[message["id"]]).total_seconds())
    assert min(off) >= 0
    assert max(off) < 10
    years = {message["created_at"][:4] for message in messages(tmp_path / "inbox")}
    assert {"2026"} < years


def test_messages_kept_for_weeks_are_told(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=3_000, days=1, too_late=0.1, wrong_clocks=0.0, garbage=0.0)
    old = {
        message["id"]
        for request in requests(tmp_path / "inbox")
        for message in json.loads(request["body"])["messages"]
        if request["received_at"] - datetime.fromisoformat(message["created_at"]).timestamp() > 30 * 86_400
    }
    told = {row["event_id"] for row in truth(tmp_path / "inbox", "messages") if row["is_too_late"]}
    assert told == old != set()


def test_counters_that_restart_use_their_numbers_again(tmp_path: Path) -> None:
    simulate(
        tmp_path / "inbox", messages=5_000, days=2, restarts=0.5, loss=0.0, late=0.0, retries=0.0,
        garbage=0.0,
    )  # fmt: skip
    told = {row["stream_id"] for row in truth(tmp_path / "inbox", "visitors") if row["restarts"] > 0}
    used = Counter((message["stream_id"], message["index"]) for message in messages(tmp_path / "inbox"))
    again = {stream for (stream, _), times in used.items() if times > 1}
    assert again == told != set()


def test_fast_bots_view_thirty_pages_a_minute_and_people_do_not(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=20_000, days=1, bots=0.1, loss=0.0, garbage=0.0)
    kinds = {row["visitor_id"]: row["bot_kind"] for row in truth(tmp_path / "inbox", "visitors")}
    viewed = defaultdict(list)
    for row in truth(tmp_path / "inbox", "messages"):
        if row["schema"] == "page_view":
            viewed[row["visitor_id"]].append(row["happened_at"])
    fast = {
        visitor
        for visitor, times in viewed.items()
        for first, thirtieth in zip(sorted(times), sorted(times)[29:], strict=False)
        if thirtieth - first <= timedelta(seconds=60)
    }
    assert {kinds[visitor] for visitor in fast} <= {"rate", "declared", "malformed_ua"}
    assert {visitor for visitor in viewed if kinds[visitor] == "rate"} <= fast != set()


NONE = {"id": None}


def plain_messages(request: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Read any protocol's batch: id, schema, visitor, page and order of each message."""
    batch = json.loads(request["body"])
    for event in batch.get("data", ()):
        schema = {"pv": "page_view", "tr": "order"}.get(event["e"])
        if schema is None:
            described = json.loads(event["ue_pr"])["data"]
            schema = described["schema"].split("/")[1]
            assert described["data"]
        context = json.loads(event["co"])["data"][0]
        yield event["eid"], schema, event["duid"], context["data"]["id"], event.get("tr_id")
    for message in batch.get("messages", ()):
        if "version" not in message:
            short = {"pv": "page_view", "imp": "impression", "clk": "click", "ord": "order",
                     "exp": "experiment_exposure"}  # fmt: skip
            schema = short.get(message["type"], message["type"])
            yield (message["eid"], schema, message["uid"], message["pg"]["id"],
                   message["d"].get("oid"))  # fmt: skip
        else:
            page = message["page_id"] if message["version"] == 2 else (message["page"] or {}).get("id")
            yield (message["id"], message["schema"], message["visitor_id"], page,
                   message["data"].get("order_id"))  # fmt: skip


def test_older_versions_and_snowplow_tell_the_same_story(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=12_000, days=1, v2=0.25, v1=0.25, snowplow=0.25, garbage=0.0)
    told = {row["event_id"]: row for row in truth(tmp_path / "inbox", "messages")}
    orders = {row["order_id"] for row in truth(tmp_path / "inbox", "orders")}
    found: Counter[str] = Counter()
    for request in requests(tmp_path / "inbox"):
        for event_id, schema, visitor, page, order in plain_messages(request):
            row = told[event_id]
            assert row["schema"].removeprefix("custom.") == schema.removeprefix("custom.")
            assert (row["visitor_id"], row["page_id"]) == (visitor, page)
            assert schema != "order" or order in orders
            assert request["path"].endswith("tp2") == (row["dialect"] == "snowplow")
            found[row["dialect"]] += 1
    assert found == Counter(
        {name: sum(row["copies"] for row in told.values() if row["dialect"] == name)
         for name in ("v3", "v2", "v1", "snowplow")}
    )  # fmt: skip
    assert min(found.values()) > 1_000


def test_bad_lines_are_counted_by_what_is_wrong(tmp_path: Path) -> None:
    simulate(tmp_path / "inbox", messages=3_000, days=1, garbage=0.2)
    told = json.loads((tmp_path / "truth" / "truth.json").read_text())["garbage"]
    found: Counter[str] = Counter()
    for line in text_of(tmp_path / "inbox" / "events").splitlines():
        try:
            request = json.loads(line)
            batch = json.loads(request["body"] or "{}")
        except json.JSONDecodeError:
            found["bad_body" if line.endswith("}") else "bad_line"] += 1
            continue
        found["no_message"] += request["path"] != "/t"
        for message in batch.get("messages", ()):
            found["unknown_version"] += message["version"] != 3
            found["unknown_schema"] += message["schema"] == "pageveiw"
            found["missing_key"] += not message["visitor_id"]
            found["malformed_key"] += not isinstance(message["index"], int)
    assert dict(found) == told
    assert len(told) == 7


def test_silent_collector_loses_what_the_incident_says(tmp_path: Path) -> None:
    silent = Incident.read("loss=1,host=t2.shop.example,start=2026-03-01T12,end=2026-03-01T18")
    simulate(
        tmp_path / "inbox", messages=3_000, days=1, loss=0.0, late=0.0, retries=0.0,
        wrong_clocks=0.0, incidents=(silent,), garbage=0.0,
    )  # fmt: skip
    hosts = Counter(
        (request["host"], 12 <= request["received_at"] % 86_400 / 3_600 - 0.01 < 17.9)
        for request in requests(tmp_path / "inbox")
        if "email" not in request["body"] and "backend" not in request["body"]
    )
    assert hosts["t1.shop.example", True] > 0
    assert hosts["t2.shop.example", True] <= 1
    fates = Counter(row["status"] for row in truth(tmp_path / "inbox", "messages"))
    assert fates["lost_incident"] > 0


def test_only_declared_bots_have_agents_of_crawlers() -> None:
    agents = desktop()[0] + mobile()[0]
    assert [agent for agent, reason in zip(agents, bot_reasons(agents), strict=True) if reason] == []
    assert set(bot_reasons(declared_bots()[0])) == {"declared"}
    assert all(25 <= len(agent) <= 400 for agent in desktop()[0] + mobile()[0])


def test_inbox_that_holds_logs_is_left_alone(inbox: Path) -> None:
    with pytest.raises(BadUse, match="holds logs already"):
        simulate(inbox, messages=100, days=1)


@pytest.mark.parametrize("change", [{"loss": 1.5}, {"messages": 0}, {"compress": "rar"}])
def test_impossible_plan_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadUse):
        simulate(tmp_path / "inbox", **change)


@pytest.mark.parametrize("text", ["loss=x", "host=a", "loss=1,colour=red"])
def test_unreadable_incident_is_refused(text: str) -> None:
    with pytest.raises(BadUse, match="Not an incident"):
        Incident.read(text)
