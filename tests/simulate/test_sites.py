"""Other sites than a shop that never sleeps: offices, samples, short streams, refunds, consent, unequal witnesses."""

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from builders import House

from etl.errors import BadUse
from etl.simulate import Incident, Plan, read_plan, simulate

QUIET: dict[str, Any] = {"compress": "none", "garbage": 0.0, "late": 0.0, "wrong_clocks": 0.0, "retries": 0.0}
DESKTOP, MOBILE = "desktop_web", "mobile_web"


def make(folder: Path, **plan: Any) -> list[dict[str, Any]]:
    """Simulate, and read the messages that arrived, each with the time of its receipt."""
    simulate(folder / "inbox", **QUIET | plan)
    found = []
    for file in sorted((folder / "inbox" / "events").rglob("*.jsonl")):
        for line in file.read_text().splitlines():
            request = json.loads(line)
            for message in json.loads(request["body"])["messages"]:
                found.append(message | {"received": datetime.fromtimestamp(float(request["received_at"]), UTC)})
    return found


def begun(folder: Path) -> list[datetime]:
    """Read when people's sessions began, from the truth."""
    return [
        row["started_at"]
        for row in pq.read_table(folder / "truth" / "sessions.parquet").to_pylist()
        if not row["is_bot"]
    ]


def test_an_office_sleeps_at_night_at_weekends_and_on_holidays(tmp_path: Path) -> None:
    """GIVEN ten days from a Sunday, open from 9 to 17 but for weekends and a holiday THEN sessions begin then alone."""
    make(
        tmp_path, messages=4_000, days=10, open_hours=(9, 17), closed_weekdays=(5, 6), holidays=(date(2026, 3, 4),)
    )  # fmt: skip
    # A visitor's second session of a slot waits for the first to end, and may begin after closing time.
    starts = [start for start in begun(tmp_path) if start.hour < 17]
    assert {start.date().day for start in starts} == {2, 3, 5, 6, 9, 10}
    assert min(start.hour for start in starts) == 9
    assert len(starts) > 0.9 * len(begun(tmp_path)) > 50


def test_a_source_is_heard_on_two_days_of_a_week(tmp_path: Path) -> None:
    make(tmp_path, messages=1_500, days=9, rhythm=(2, 7))
    days = Counter(start.date().day for start in begun(tmp_path))
    assert set(days) - {3, 10} == {1, 2, 8, 9} and days[3] + days[10] < 0.05 * days.total()


def test_a_site_that_sells_nothing_has_visits_and_no_orders(tmp_path: Path) -> None:
    schemas = Counter(message["schema"] for message in make(tmp_path, messages=3_000, days=1, converting=0.0))
    assert schemas["page_view"] > 500 and "order" not in schemas


def test_brief_visits_are_streams_of_one_message(tmp_path: Path) -> None:
    """GIVEN newcomers who read one page and nothing else THEN that many more streams are of one message."""
    shares = []
    for brief in (0.0, 1.0):
        folder = tmp_path / str(brief)
        streams: dict[str, list[str]] = defaultdict(list)
        for message in make(folder, messages=3_000, days=1, brief=brief, loss=0.0, bots=0.0):
            if message["platform"] == DESKTOP:
                streams[message["stream_id"]].append(message["schema"])
        shares.append(sum(schemas == ["page_view"] for schemas in streams.values()) / len(streams))
    assert shares[0] < 0.2
    assert shares[1] > 0.4


def test_refunds_follow_their_orders_by_days(tmp_path: Path) -> None:
    """GIVEN most orders given back THEN each refund is of an order, whole, one to five days later."""
    told = make(tmp_path, messages=12_000, days=6, refunds=0.9, loss=0.0)
    orders = {
        message["data"]["order_id"]: message
        for message in told
        if message["schema"] == "order" and message["platform"] == "backend"
    }
    refunds = [message for message in told if message["schema"] == "refund"]
    assert 3 < len(refunds) < len(orders)
    for refund in refunds:
        order = orders[refund["data"]["order_id"]]
        assert refund["data"]["revenue"] == order["data"]["revenue"]
        waited = datetime.fromisoformat(refund["created_at"]) - datetime.fromisoformat(order["created_at"])
        assert 1 <= waited.total_seconds() / 86_400 <= 5
    said = json.loads((tmp_path / "truth" / "truth.json").read_text())["refunds"]
    assert said == {"sent": len(refunds), "received": len(refunds)}


def test_refunds_come_out_of_the_pipeline(tmp_path: Path) -> None:
    """GIVEN refunds and people who refuse consent THEN all is accepted, but for nobody's pages and orders."""
    house = House(tmp_path)
    simulate(house.settings.inbox, messages=4_000, days=3, refunds=1.0, refused=0.3, garbage=0.0, truth=tmp_path / "t")
    house.digest()
    schemas = Counter(row["schema"] for row in house.events())
    assert schemas["refund"] > 0
    nobody = [row for row in house.events() if row["visitor_id"] is None]
    assert len(nobody) > 100 and {row["platform"] for row in nobody} == {DESKTOP, MOBILE}
    assert house.quarantine() == []


def test_who_refuses_consent_is_named_by_nothing(tmp_path: Path) -> None:
    """GIVEN all web visitors refuse THEN no message or pixel of the web names one; apps know nothing of it."""
    told = make(tmp_path, messages=2_000, days=1, refused=1.0, bots=0.0)
    web = [message for message in told if message["platform"] in (DESKTOP, MOBILE)]
    assert len(web) > 500 and {(message["visitor_id"], message["user_id"]) for message in web} == {(None, None)}
    assert all(message["anonymous"] for message in web)
    assert {message["visitor_id"] is None for message in told if message["platform"] in ("ios", "android")} == {False}
    hits = [line for file in (tmp_path / "inbox" / "pixel").iterdir() for line in file.read_text().splitlines()]
    assert hits and all("&v= HTTP" in line for line in hits)


def test_platforms_and_witnesses_lose_as_unequally_as_asked(tmp_path: Path) -> None:
    """GIVEN tracker and pixel that each lose more of one platform THEN the truth counts so."""
    unequal = (Incident.read(f"loss=0.4,platform={MOBILE}"), Incident.read(f"pixel=0.3,platform={DESKTOP}"))
    make(tmp_path, messages=12_000, days=1, loss=0.0, pixel_loss=0.0, incidents=unequal)
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in pq.read_table(tmp_path / "truth" / "loss_hourly.parquet").to_pylist():
        for name in ("pixel_hits", "event_page_views", "only_pixel", "only_event"):
            seen[row["platform"]][name] += row[name]
    rates = {
        platform: (of["only_pixel"] / of["pixel_hits"], of["only_event"] / of["event_page_views"])
        for platform, of in seen.items()
    }
    assert rates[MOBILE] == (pytest.approx(0.4, abs=0.05), pytest.approx(0, abs=0.01))
    assert rates[DESKTOP] == (pytest.approx(0, abs=0.01), pytest.approx(0.3, abs=0.05))


@pytest.mark.parametrize(
    "change", [{"open_hours": (17, 9)}, {"closed_weekdays": tuple(range(7))}, {"converting": 2.0}, {"refunds": -1.0}]
)
def test_sites_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadUse):
        Plan(**change)


@pytest.mark.parametrize("planted", [{"loss": 1.0}, {"pixel": 1.0}, {"loss": 1.0, "pixel": 1.0}])
def test_what_no_incident_hits_is_the_same_without_it(tmp_path: Path, planted: dict[str, float]) -> None:
    last = Incident(start=datetime(2026, 3, 3, tzinfo=UTC), **planted)
    for name, incidents in (("quiet", ()), ("hit", (last,))):
        simulate(tmp_path / name / "inbox", Plan(messages=3_000, days=3, compress="none", incidents=incidents))
    early = [path for path in (tmp_path / "quiet" / "inbox").rglob("*2026-03-01*") if path.is_file()]
    assert {path.relative_to(tmp_path / "quiet").parts[1] for path in early} >= {"events", "pixel"}
    for path in early:
        assert (tmp_path / "hit" / path.relative_to(tmp_path / "quiet")).read_bytes() == path.read_bytes(), path


def test_an_incident_that_loses_nothing_is_refused() -> None:
    with pytest.raises(BadUse, match="it loses nothing"):
        Incident.read("platform=ios")


def test_a_site_is_read_from_a_file_and_what_is_given_wins(tmp_path: Path) -> None:
    written = tmp_path / "site.toml"
    written.write_text(
        "days = 8\nopen_hours = [9, 17]\nholidays = [2026-03-03]\n[[incidents]]\nloss = 0.4\nplatform = 'mobile_web'\n"
    )
    assert read_plan(written, days=5) == Plan(
        days=5, open_hours=(9, 17), holidays=(date(2026, 3, 3),), incidents=(Incident(loss=0.4, platform="mobile_web"),)
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("convrting = 0.5", "convrting"),
        ("refunds = 2.0", "refunds is a share"),
        ("open_hours = 9", "open_hours"),
        ("[[incidents]]\nlos = 1", "incidents.0.los"),
        ("[[incidents]]\nloss = 1.0\nstart = 2026-03-05T10:00:00", "no zone"),
        ("days = ", "not TOML"),
    ],
)
def test_a_site_without_sense_is_refused_by_its_name(tmp_path: Path, text: str, told: str) -> None:
    written = tmp_path / "site.toml"
    written.write_text(text)
    with pytest.raises(BadUse, match=told):
        read_plan(written)


def test_a_site_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUse, match="cannot be read"):
        read_plan(tmp_path / "site.toml")
