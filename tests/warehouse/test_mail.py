"""The daily mail: the marts' figures, pictures inside, sent once to a server that really listens."""

import re
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import duckdb
import pytest
from builders.published import UNSEEN, Row, days, publish, shop

from etl import pipeline
from etl.errors import BadUse
from etl.settings import Settings
from etl.warehouse import mail

PUBLISHED = datetime(2026, 3, 31, 0, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def compose(folder: Path, rows: dict[str, list[Row]]) -> EmailMessage:
    with duckdb.connect(str(publish(folder / "bloodhound.duckdb", rows)), read_only=True) as con:
        message = mail.compose(con, published_at=PUBLISHED, currency="EUR")
    return message_from_bytes(message.as_bytes(), policy=policy.default)  # type: ignore[return-value]


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_figures_are_the_last_days_and_pictures_lie_inside(tmp_path: Path) -> None:
    rows = shop()
    rows["quality.incidents"] += [open_incident(day=days(30)[-1], app_id=EVIL), open_incident(day=days(30)[-2])]
    message = compose(tmp_path, rows)
    last = rows["executive.kpi_daily"][-1]
    assert message["Subject"] == (f"30 Mar: revenue EUR {last['revenue']:.2f}, measured 98.0 %; 2 checks in error")
    text, page = text_of(message, "plain"), text_of(message, "html")
    assert f"EUR {last['revenue']:.2f}" in text and f"EUR {last['revenue']:.2f}" in page
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


def changed(day: Row, **changes: tuple[float, float | None, float | None]) -> None:
    """Say of a day's metrics how they changed on the day before, and between which limits."""
    for metric, (change, low, high) in changes.items():
        day |= {f"{metric}_change": change, f"{metric}_change_low": low, f"{metric}_change_high": high}


def test_a_change_says_what_chance_may_have_done(tmp_path: Path) -> None:
    """GIVEN changes of many and of few orders THEN the first has its limits, and the second says that it is too few."""
    rows = shop()
    changed(rows["executive.kpi_daily"][-1], orders=(0.2, -0.15, 0.7), revenue=(1.04, None, None))
    text = text_of(compose(tmp_path, rows), "plain")
    assert re.search(r"Orders +\d+ +\+20\.0 % \(-15 to \+70\)", text)
    assert re.search(r"Revenue +EUR [\d.]+ +\+104\.0 % \(too few\)", text)
    # What the marts do not compare is not compared here; the week before stands there as it was.
    (week_ago,) = (row for row in rows["executive.kpi_daily"] if row["date"] == days(30)[-8])
    assert re.search(rf"Sessions +\d+ +{week_ago['sessions']}\n", text)


def test_the_subject_says_a_change_that_chance_has_not_made(tmp_path: Path) -> None:
    """GIVEN a rise within its limits, and one beyond THEN the second alone is told on a locked phone."""
    for low, is_told in ((-0.1, False), (0.1, True)):
        rows = shop()
        changed(rows["executive.kpi_daily"][-1], revenue=(0.3, low, 0.6))
        assert ("(+30 % on the day before)" in compose(tmp_path / str(low), rows)["Subject"]) == is_told


def test_the_day_told_is_the_last_whole_one(tmp_path: Path) -> None:
    """GIVEN a last day that goes on, and a hole a week ago THEN the day before is told, and compared with no part."""
    rows = shop()
    rows["executive.kpi_daily"][-1]["is_complete"] = rows["executive.kpi_daily"][-9]["is_complete"] = False
    message = compose(tmp_path, rows)
    assert message["Subject"].startswith("29 Mar: revenue EUR") and "on the day" not in message["Subject"]
    (day,) = shop(1)["executive.kpi_daily"]
    alone = compose(tmp_path / "alone", {"executive.kpi_daily": [day | {"is_complete": False}]})
    for kind in ("plain", "html"):
        assert "covers a part of this day" in text_of(alone, kind)


def test_what_is_not_known_is_unknown(tmp_path: Path) -> None:
    rows = shop(1) | {"quality.incidents": []}
    rows["executive.kpi_daily"][0] |= UNSEEN
    message = compose(tmp_path, rows)
    assert message["Subject"].endswith("measured unknown")
    assert "is unknown: no pixel saw these pages" in text_of(message, "html")


def test_what_a_part_of_the_witnesses_and_orders_say_is_told_and_set_beside_no_other_day(tmp_path: Path) -> None:
    """GIVEN days on which a platform had no pixel and an order no rate THEN it is said, and a week later left out."""
    rows = shop()
    whole = text_of(compose(tmp_path / "whole", rows), "plain")
    assert re.search(r"likely true +48\d \(48\d to 48\d\) +\d+\n", whole) and "no pixel" not in whole
    for row in (rows["executive.kpi_daily"][-1], rows["executive.kpi_daily"][-8]):
        row |= {"is_witnessed": False, "is_revenue_complete": False}
    message = compose(tmp_path, rows)
    for kind in ("plain", "html"):
        said = text_of(message, kind)
        assert "On a part of the web no pixel saw the pages" in said and "revenue leaves them out" in said
    lines = text_of(message, "plain").splitlines()[3:11]
    assert {line[:26].strip() for line in lines if not line[80:].strip()} == {
        "Revenue", "Page views, likely true", "Measured",
    }  # fmt: skip


def test_no_data_is_a_mail_too(tmp_path: Path) -> None:
    assert compose(tmp_path, {})["Subject"] == "Bloodhound: no data yet"


def test_same_warehouse_same_mail(tmp_path: Path) -> None:
    first, second = (compose(tmp_path / name, shop(3)) for name in ("a", "b"))
    assert first["Message-ID"] == second["Message-ID"]
    assert text_of(first, "html") == text_of(second, "html")


class Listener(socketserver.StreamRequestHandler):
    """As much of a mail server as a client needs; it refuses recipients called nobody."""

    def handle(self) -> None:
        server: Office = self.server  # type: ignore[assignment]
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part[1:] if part.startswith(b"..") else part
                server.letters.append(body)
            if word == "RCPT" and "nobody" in line:
                self.say("550 unknown")
            else:
                server.said.append(line)
                self.say("221 bye" if word == "QUIT" else "250 ok")
            if word == "QUIT":
                return

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Office(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Listener)
        self.letters: list[bytes] = []
        self.said: list[str] = []


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with Office() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(server.server_address[1]), "SMTP_SECURITY": "none",
            "MAIL_FROM": "bloodhound@shop.example", "MAIL_TO": "Ann <ann@shop.example>, bob@shop.example",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"BLOODHOUND_{name}", value)
        yield server
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path)
    publish(settings.warehouse, shop(9))
    return settings


def test_day_is_sent_once_to_everybody(office: Office, settings: Settings) -> None:
    assert [pipeline.mail(settings)["sent"] for _ in range(2)] == [2, 0]
    assert pipeline.mail(settings, again=True)["sent"] == 2
    assert len(office.letters) == 2
    assert [line.upper() for line in office.said if line.upper().startswith("RCPT")][:2] == [
        "RCPT TO:<ANN@SHOP.EXAMPLE>", "RCPT TO:<BOB@SHOP.EXAMPLE>",
    ]  # fmt: skip
    letter = message_from_bytes(office.letters[0], policy=policy.default)
    assert letter["To"] == "ann@shop.example, bob@shop.example"
    assert letter["Subject"].startswith("09 Mar: revenue")


def test_refused_mail_is_an_error_and_is_tried_again(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOODHOUND_MAIL_TO", "nobody@shop.example")
    with pytest.raises(mail.NotSent, match="did not take the mail"):
        pipeline.mail(settings)
    monkeypatch.setenv("BLOODHOUND_MAIL_TO", "ann@shop.example")
    assert pipeline.mail(settings)["sent"] == 1


def test_without_a_server_the_mail_is_a_file(settings: Settings) -> None:
    made = pipeline.mail(settings)
    assert made["sent"] == 0
    assert message_from_bytes(Path(made["file"]).read_bytes())["Subject"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"SMTP_SECURITY": "ssl"}, "SMTP_SECURITY"), ({"SMTP_PORT": "x"}, "SMTP_PORT"), ({"MAIL_TO": ""}, "MAIL_TO"),
        ({"MAIL_FROM": "me"}, "MAIL_FROM"), ({"SMTP_SECURITY": "none", "SMTP_PASSWORD": "p"}, "in the clear"),
    ],
)  # fmt: skip
def test_mail_settings_without_sense_are_bad_use(given: dict[str, str], complaint: str) -> None:
    good = {"SMTP_HOST": "mail.example", "MAIL_FROM": "a@b.example", "MAIL_TO": "c@d.example"}
    assert mail.read_post({f"BLOODHOUND_{name}": value for name, value in good.items()})
    with pytest.raises(BadUse, match=complaint):
        mail.read_post({f"BLOODHOUND_{name}": value for name, value in (good | given).items()})
