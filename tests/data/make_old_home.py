"""Make `home_of_0_1.tar.zst`: a home as version 0.1 left it, and the inbox it was made of, for the test of upgrades.

    git worktree add ../bloodhound-0.1 cf01a58
    PYTHONPATH=.:tests python tests/data/make_old_home.py ../bloodhound-0.1

The home has what a home gathers in use. Two publications, the second with a late file, so that there is a history of
figures; all formats; a duplicate, a collision, a refused message, an exclusion; a probe sent and found; a check in
error of which people were told, and a second alert that waits; a mail sent. dbt's folder `warehouse/build` is left
out, as if somebody had removed it: it is large and made again.

The archive's paths are relative. The home's published warehouse names its Parquet by the absolute paths of
where it was made, `MADE_IN`; whoever unpacks it elsewhere has to say so there.
"""

import os
import shutil
import socketserver
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backports import zstd
from builders import PHONE, Row, combined, event, events, lines, request
from builders.snowplow import PV, SENT, posted
from builders.versions import V1, V2

MADE_IN = Path("/tmp/bloodhound-0.1")
ARCHIVE = Path(__file__).with_name("home_of_0_1.tar.zst")
LEFT_OUT = ("warehouse/build", ".lock", ".alerts.lock")
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")


def first_delivery() -> dict[str, bytes]:
    """Two days: people, a bot, older versions, Snowplow's, copies, and pages that only the pixel saw."""
    pages = {
        day: [
            message
            for number in range(8)
            for message in events(
                "10:00 /?utm_source=google&utm_medium=cpc&utm_campaign=spring", "10:05 /deals/7", "10:06 click",
                "10:20 /cart", *(["10:21 order"] if number % 3 == 0 else []), visitor=f"{day[-1]}v{number}", day=day,
                user_id=f"u{number}" if number % 2 else None, logged_in=bool(number % 2),
            )
        ]
        for day in DAYS[:2]
    }  # fmt: skip
    returning = events("09:00 /", "09:01 experiment_exposure", "09:02 feature_use", visitor="1v1", first=9, day=DAYS[1])
    returning[1]["data"] = {"experiment": "checkout", "variant": "b"}
    returning[2]["data"] = {"feature": "search"}
    copied = pages[DAYS[0]][0]
    old = [V1 | {"eid": "old-1"}, V2 | {"id": "old-2", "index": 8, "page_id": "p2"}]
    snowplow = posted(PV | {"eid": "sp-1", "duid": "sp", "stm": SENT}, received="10:00:10")
    return {
        "events/one.jsonl": lines([
            *each(pages[DAYS[0]]), request(old, f"{DAYS[0]} 10:05"), snowplow,
            request([copied], f"{DAYS[0]} 11:00"), request([copied | {"country": "DE"}], f"{DAYS[0]} 11:05"),
            request([event("12:00 /gone", 1, "refused", page_url=...)]),
            request([event("12:30 /", 1, "bot")], user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
            "cut short",
        ]),
        "events/two.jsonl": lines(each([*pages[DAYS[1]], *returning])),
        "pixel/one.log": hits(page_ids(pages[DAYS[0]]), DAYS[0]) + hits([f"unseen-{n}" for n in range(12)], DAYS[0]),
        "pixel/two.log": hits(page_ids(pages[DAYS[1]]), DAYS[1]),
        "access/one.log": lines([
            combined(f"{DAYS[0]} 08:00:00 /about"), combined(f"{DAYS[0]} 08:01:00 /terms", agent=PHONE),
            combined(f"{DAYS[0]} 08:01:05 /logo.png"),
        ]),
        "spend/one.csv": spend(DAYS[0], "10.50") + spend(DAYS[1], "11.25").partition(b"\n")[2],
    }  # fmt: skip


def second_delivery() -> dict[str, bytes]:
    """The third day, a file of the first that comes late, and an exclusion."""
    third = [
        message
        for number in range(6)
        for message in events("10:00 /", "10:10 /cart", "10:21 order", visitor=f"3v{number}", day=DAYS[2])
    ]
    late = events("20:00 /", "20:05 /deals/9", "20:06 order", visitor="late", day=DAYS[0])
    return {
        "events/three.jsonl": lines(each(third)),
        "events/late.jsonl": lines(each(late)),
        "pixel/three.log": hits(page_ids(third), DAYS[2]),
        "exclusions/staff.csv": b"kind,value,from,to,reason\nvisitor,2v2,,,staff\nip,no address,,,unreadable\n",
        "spend/three.csv": spend(DAYS[2], "9.75"),
    }


def each(messages: Iterable[Row]) -> list[Row]:
    return [request([message]) for message in messages]


def page_ids(messages: Iterable[Row]) -> list[str]:
    return [message["page"]["id"] for message in messages if message["schema"] == "page_view"]


def hits(pages: Iterable[str], day: str) -> bytes:
    return lines(combined(f"{day} 10:00:00 /px.gif?e={page}&a=shop&p=desktop_web&v=v") for page in pages)


def spend(day: str, cost: str) -> bytes:
    head = "date,source,medium,campaign,impressions,clicks,cost,currency"
    return f"{head}\n{day},google,cpc,spring,1000,20,{cost},USD\n".encode()


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that takes what it is given."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        is_letter = False
        for line in self.rfile:
            is_letter = is_letter and line != b".\r\n"
            if is_letter:
                continue
            word = line[:4].upper().strip()
            is_letter = word == b"DATA"
            self.wfile.write({b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}.get(word, b"250 ok\r\n"))
            if word == b"QUIT":
                return


@contextmanager
def mail_server() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def run(code: Path, *words: str, exit_code: int = 0, **settings: str) -> None:
    """Run a command of the old code on the home."""
    done = subprocess.run(
        [sys.executable, *words], cwd=code, check=False,
        env={name: text for name, text in os.environ.items() if not name.startswith(("BLOODHOUND_", "PYTHONPATH"))}
        | {"BLOODHOUND_INBOX": str(MADE_IN / "inbox"), "BLOODHOUND_HOME": str(MADE_IN / "home")}
        | settings,
    )  # fmt: skip
    assert done.returncode == exit_code, f"{words} ended with {done.returncode}"


def deliver(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = MADE_IN / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


SENT_ALERT = """
from etl import tasks
from etl.settings import load_settings
tasks.note_task(load_settings(), "warehouse.build", "the disk was full")
tasks.forget_alert(load_settings(), tasks.waiting_alerts(load_settings())[0])
"""


def main(code: Path) -> None:
    shutil.rmtree(MADE_IN, ignore_errors=True)
    deliver(first_delivery())
    run(code, "-m", "etl", "run", exit_code=1)  # What only the pixel saw is a loss in error.
    run(code, "-c", SENT_ALERT)
    deliver(second_delivery())
    run(code, "-m", "etl", "run", exit_code=1)
    run(code, "-m", "etl", "probe")
    run(code, "-m", "etl", "run", exit_code=1)
    run(code, "-m", "etl", "probe", "--look")
    with mail_server() as port:
        run(
            code, "-m", "etl", "mail", BLOODHOUND_SMTP_HOST="127.0.0.1", BLOODHOUND_SMTP_PORT=str(port),
            BLOODHOUND_SMTP_SECURITY="none", BLOODHOUND_MAIL_FROM="bloodhound@shop.example",
            BLOODHOUND_MAIL_TO="team@shop.example",
        )  # fmt: skip
    for name in LEFT_OUT:
        path = MADE_IN / "home" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    with (
        zstd.open(ARCHIVE, "wb", level=19) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name in ("home", "inbox"):
            archive.add(MADE_IN / name, name, filter=nobodys)
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size:,} bytes")


def nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Keep a file's times and mode, not its owner."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
