"""What the daily mail says: the figures as the page says them, and pictures inside."""

import re
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb
from builders.published import UNSEEN, Row, days, publish, shop
from builders.reader import plain

from etl.warehouse.mail import compose as composing

PUBLISHED = datetime(2026, 3, 31, 0, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def compose(folder: Path, rows: dict[str, list[Row]]) -> EmailMessage:
    with duckdb.connect(str(publish(folder / "bloodhound.duckdb", rows)), read_only=True) as con:
        message = composing.compose(con, published_at=PUBLISHED, currency="EUR")
    return message_from_bytes(message.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_figures_are_the_last_days_and_pictures_lie_inside(tmp_path: Path) -> None:
    rows = shop()
    rows["quality.incidents"] += [open_incident(day=days(30)[-1], app_id=EVIL), open_incident(day=days(30)[-2])]
    message = compose(tmp_path, rows)
    revenue = f"EUR {rows['executive.kpi_daily'][-1]['revenue']:.0f}"
    assert message["Subject"] == f"30 Mar: revenue {revenue}, measured 98 %; 2 checks in error"
    text, page = text_of(message, "plain"), text_of(message, "html")
    assert revenue in text and revenue in page
    assert EVIL not in page and "&lt;script&gt;" in page
    pictures = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert [part["Content-ID"] for part in pictures] == ["<revenue@bloodhound>", "<measured@bloodhound>"]
    assert all(
        part.get_content().startswith(b"\x89PNG") and f"cid:{part['Content-ID'][1:-1]}" in page for part in pictures
    )
    assert "http" not in page


def open_incident(day: date, **columns: Any) -> Row:
    (ended,) = shop()["quality.incidents"]
    return ended | {"incident_id": str(day), "first_date": day, "last_date": day, "is_ongoing": True} | columns


def test_what_has_ended_is_not_told_as_if_it_went_on(tmp_path: Path) -> None:
    """GIVEN an incident of three days that goes on, and one that ended weeks ago THEN the mail has one line."""
    rows = shop()
    first, last = days(30)[-3], days(30)[-1]
    rows["quality.incidents"].append(open_incident(last, first_date=first))
    message = compose(tmp_path, rows)
    assert message["Subject"].endswith("; a check in error")
    for kind in ("plain", "html"):
        assert text_of(message, kind).count("Look at it") == 1
        assert f"shop desktop_web {first} to {last}" in text_of(message, kind)


def test_checks_in_error_of_days_before_are_counted(tmp_path: Path) -> None:
    """GIVEN checks in error long ago, of which no incident goes on THEN the mail does not say that none is."""
    rows = shop()
    rows["quality.checks"].append(rows["quality.checks"][0] | {"status": "error", "date": days(30)[0]})
    rows["quality.incidents"] = []
    message = compose(tmp_path, rows)
    for kind in ("plain", "html"):
        assert "No trouble goes on; 2 checks are in error of days before" in text_of(message, kind)


def changed(day: Row, **changes: tuple[float, float | None, float | None]) -> None:
    """Say of a day's metrics how they changed on the day before, and between which limits."""
    for metric, (change, low, high) in changes.items():
        day |= {f"{metric}_change": change, f"{metric}_change_low": low, f"{metric}_change_high": high}


def busy() -> dict[str, list[Row]]:
    """A shop with enough orders a day to say something of."""
    rows = shop()
    for day in rows["executive.kpi_daily"]:
        day |= {name: day[name] * 10 for name in ("orders", "sessions_with_order", "revenue", "sessions", "visitors")}
    return rows


def test_a_change_says_what_chance_may_have_done(tmp_path: Path) -> None:
    """GIVEN changes of many and of few orders THEN the first has its limits, and the second says that it is too few."""
    rows = busy()
    changed(rows["executive.kpi_daily"][-1], orders=(0.2, -0.15, 0.7), revenue=(1.04, None, None))
    text = plain(text_of(compose(tmp_path, rows), "plain"))
    assert re.search(r"Orders +\d+ +\+20 % \(-15 to \+70 %\)", text)
    assert re.search(r"Revenue +EUR [\d,]+ +too few to compare", text)
    # What the marts do not compare is not compared here; the week before stands there as it was.
    (week_ago,) = (row for row in rows["executive.kpi_daily"] if row["date"] == days(30)[-8])
    assert re.search(rf"Visits +[\d,]+ +nothing to compare with +{week_ago['sessions']:,}\n", text)


def test_the_subject_says_a_change_that_chance_has_not_made(tmp_path: Path) -> None:
    """GIVEN a rise within its limits, and one beyond THEN the second alone is told on a locked phone, and green."""
    for low, is_told in ((-0.1, False), (0.1, True)):
        rows = busy()
        changed(rows["executive.kpi_daily"][-1], revenue=(0.3, low, 0.6))
        message = compose(tmp_path / str(low), rows)
        assert (", up 30 % on the day before" in message["Subject"]) == is_told
        assert ("color:#0b7148" in text_of(message, "html")) == is_told


def test_a_site_without_orders_is_told_nothing_of_money(tmp_path: Path) -> None:
    """GIVEN a site that sells nothing THEN subject and pictures are of visits, and no line says 0.00."""
    rows = shop()
    for day in rows["executive.kpi_daily"]:
        day |= {"orders": 0, "sessions_with_order": 0, "revenue": 0}
    message = compose(tmp_path, rows)
    assert message["Subject"].startswith(f"30 Mar: visits {rows['executive.kpi_daily'][-1]['sessions']}, measured")
    for kind in ("plain", "html"):
        assert not any(word in text_of(message, kind) for word in ("EUR", "Orders", "Revenue", "Conversion"))
    pictures = [part["Content-ID"] for part in message.walk() if part.get_content_type() == "image/png"]
    assert pictures == ["<sessions@bloodhound>", "<measured@bloodhound>"]


def test_the_day_told_is_the_last_whole_one(tmp_path: Path) -> None:
    """GIVEN a last day that goes on, and a hole a week ago THEN the day before is told, and compared with no part."""
    rows = shop()
    rows["executive.kpi_daily"][-1]["is_complete"] = rows["executive.kpi_daily"][-9]["is_complete"] = False
    message = compose(tmp_path, rows)
    assert message["Subject"].startswith("29 Mar: revenue EUR") and "on the day" not in message["Subject"]
    assert plain(text_of(message, "plain")).count("not compared") == 0
    (day,) = shop(1)["executive.kpi_daily"]
    alone = compose(tmp_path / "alone", {"executive.kpi_daily": [day | {"is_complete": False}]})
    for kind in ("plain", "html"):
        assert "covers a part of this day" in text_of(alone, kind)


def test_what_is_not_known_is_unknown(tmp_path: Path) -> None:
    rows = shop(1) | {"quality.incidents": []}
    rows["executive.kpi_daily"][0] |= UNSEEN
    message = compose(tmp_path, rows)
    assert message["Subject"].endswith("measured unknown")
    page = text_of(message, "html")
    assert "is unknown: no pixel saw these pages" in page
    # Neither an empty picture nor a column in which nothing stands.
    assert "measured@bloodhound" not in page and "a week before" not in page
    assert "a week before" not in text_of(message, "plain")


def test_what_a_part_of_the_witnesses_and_orders_say_is_told_and_set_beside_no_other_day(tmp_path: Path) -> None:
    """GIVEN days on which a platform had no pixel and an order no rate THEN it is said, and a week later left out."""
    rows = shop()
    whole = text_of(compose(tmp_path / "whole", rows), "plain")
    assert re.search(r"at least - at most +48\d - 68\d +\d+ - \d+\n", plain(whole))
    assert "no pixel" not in whole
    for row in (rows["executive.kpi_daily"][-1], rows["executive.kpi_daily"][-8]):
        row |= {"is_witnessed": False, "is_revenue_complete": False}
    message = compose(tmp_path, rows)
    for kind in ("plain", "html"):
        said = text_of(message, kind)
        assert "On a part of the web no pixel saw the pages" in said and "revenue leaves them out" in said
    lines = plain(text_of(message, "plain")).splitlines()[3:12]
    end = text_of(message, "plain").splitlines()[2].index("a week before")
    assert {line.split("  ")[0] for line in lines if not line[end:].strip()} == {
        "Revenue", "Average order", "Page views, at least - at most", "Measured",
    }  # fmt: skip


def test_no_data_is_a_mail_too(tmp_path: Path) -> None:
    assert compose(tmp_path, {})["Subject"] == "Bloodhound: no data yet"


def test_same_warehouse_same_mail(tmp_path: Path) -> None:
    first, second = (compose(tmp_path / name, shop(3)) for name in ("a", "b"))
    assert first["Message-ID"] == second["Message-ID"]
    assert text_of(first, "html") == text_of(second, "html")
