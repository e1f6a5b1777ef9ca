"""The daily mail is sent once, to a server that really listens."""

import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from builders.published import publish, shop

from etl import pipeline
from etl.errors import BadUse
from etl.settings import Settings
from etl.warehouse.mail import post


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
    with pytest.raises(post.NotSent, match="did not take the mail"):
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
    assert post.read_post({f"BLOODHOUND_{name}": value for name, value in good.items()})
    with pytest.raises(BadUse, match=complaint):
        post.read_post({f"BLOODHOUND_{name}": value for name, value in (good | given).items()})
