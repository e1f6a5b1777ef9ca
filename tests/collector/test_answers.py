"""What the real nginx answers, and what stands in its log then."""

import gzip
import shutil
import time
from pathlib import Path

import httpx
import pytest
from builders.collector import OWN_PAGE, Running, Started, made, waited

from collector import guard, processes
from collector.guard import flag, mute_flag, watch_disk

BATCH = {"sent_at": "2026-03-01T00:00:01Z", "messages": []}
SNOWPLOW = "/com.snowplowanalytics.snowplow/tp2"


@pytest.mark.parametrize("path", ["/t", SNOWPLOW])
def test_a_batch_is_taken_and_logged_whole(running: Running, path: str) -> None:
    body = {"text": 'Zoë & “quotes” \\ \n "nested"', "messages": list(range(5000))}
    answer = running.post(body, path)
    assert answer.status_code == 200
    line = running.line(answer)
    assert httpx.Response(200, content=line["body"].encode()).json() == body
    assert line.keys() == {
        "request_id", "received_at", "remote_addr", "host", "method", "path", "query", "user_agent", "referer",
        "content_type", "status", "blocked", "network_id", "privacy", "sec_purpose", "body",
    }  # fmt: skip
    assert (line["host"], line["status"], line["blocked"]) == ("t.shop.example", "200", "")


def test_a_body_of_the_largest_size_is_logged_in_one_piece_and_a_larger_one_is_sent_back(running: Running) -> None:
    most = running.settings.max_body_bytes
    whole = running.ask("POST", "/t", content=b"a" * most, headers=OWN_PAGE)
    assert whole.status_code == 200 and len(running.line(whole)["body"]) == most
    refused = running.ask("POST", "/t", content=b"a" * (most + 1), headers=OWN_PAGE)
    # The tracker keeps it; its browser may read why.
    assert refused.status_code == 413
    assert refused.headers["access-control-allow-origin"] == OWN_PAGE["Origin"]
    assert (running.line(refused)["status"], running.line(refused)["body"]) == ("413", "")


def test_an_event_in_a_query_is_answered_by_a_picture(running: Running) -> None:
    answer = running.ask("GET", "/i?e=pv&url=https%3A%2F%2Fshop.example%2F%3Fa%3D1", headers=OWN_PAGE)
    assert answer.status_code == 200 and answer.content.startswith(b"GIF89a")
    assert running.line(answer)["query"].startswith("e=pv&url=https%3A%2F%2Fshop.example%2F%3Fa%3D1&")


def test_paths_of_ones_own_are_taken(start: Started) -> None:
    running = start(post_paths=["/api/v2/hello"], get_paths=["/hello.gif"])
    assert running.line(running.post(BATCH, "/api/v2/hello"))["body"]
    assert running.ask("GET", "/hello.gif?e=pv").status_code == 200


def test_what_is_posted_to_no_path_is_kept_by_its_tracker_and_counted(running: Running) -> None:
    answer = running.post(BATCH, "/nowhere")
    assert answer.status_code == 404
    assert answer.headers["access-control-allow-origin"] == OWN_PAGE["Origin"]
    assert running.line(answer)["status"] == "404"
    assert running.ask("GET", "/wp-login.php").status_code == 404
    assert not [line for line in running.lines() if line["path"] == "/wp-login.php"]


def test_a_coded_body_is_refused_for_good(running: Running) -> None:
    answer = running.ask("POST", "/t", content=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert (running.line(answer)["status"], running.line(answer)["body"]) == ("400", "")


def test_a_preflight_is_answered_for_own_pages_and_not_logged(running: Running) -> None:
    before = len(running.lines())
    answer = running.ask("OPTIONS", SNOWPLOW, headers={"Origin": "https://shop.example"})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "SP-Anonymous" in answer.headers["access-control-allow-headers"]
    assert "set-cookie" not in answer.headers
    time.sleep(0.2)
    assert len(running.lines()) == before


@pytest.mark.parametrize("origin", ["https://shop.example.evil.test", "https://evilshop.example", "null", "https://x"])
def test_pages_of_others_may_read_nothing_and_are_given_no_id(running: Running, origin: str) -> None:
    answer = running.ask("POST", "/t", json=BATCH, headers={"Origin": origin, "Referer": "https://shop.example/"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert running.line(answer)["network_id"] == ""


def test_every_answer_says_that_it_is_not_to_be_kept_or_guessed_at(running: Running) -> None:
    for method, path in (("POST", "/t"), ("GET", "/i"), ("POST", "/nowhere"), ("OPTIONS", "/t")):
        headers = running.ask(method, path, headers=OWN_PAGE).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["vary"] == "Origin"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert headers["server"] == "nginx"


def test_whoever_asks_too_much_is_told_when_to_come_back(start: Started) -> None:
    running = start(requests_per_second=1, requests_at_once=3)
    answers = [running.post(BATCH) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 3 and answers[0].status_code == 200
    assert refused[0].headers["retry-after"] == "10"
    assert refused[0].headers["access-control-allow-origin"] == OWN_PAGE["Origin"]
    # Another address has a share of its own.
    assert running.post(BATCH, X_Forwarded_For="203.0.113.77").status_code == 200


def test_an_id_is_random_and_stays(running: Running) -> None:
    first = running.post(BATCH)
    cookie = first.headers["set-cookie"]
    given = first.cookies["bh_id"]
    assert len(given) == 32 and running.line(first)["network_id"] == given
    for word in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=34128000"):
        assert word in cookie
    assert "Domain" not in cookie
    again = running.post(BATCH, Cookie=f"bh_id={given}")
    assert again.cookies["bh_id"] == given and running.line(again)["network_id"] == given
    forged = running.post(BATCH, Cookie="bh_id=<script>")
    assert forged.cookies["bh_id"] not in ("<script>", given)


@pytest.mark.parametrize(
    ("headers", "privacy"), [({"Sec_GPC": "1"}, "gpc"), ({"SP_Anonymous": "*"}, "anonymous"), ({"Sec_GPC": "0"}, "")]
)
def test_who_asks_for_it_is_given_no_id_and_no_whole_address(
    running: Running, headers: dict[str, str], privacy: str
) -> None:
    answer = running.post(BATCH, X_Forwarded_For="203.0.113.9", Cookie="bh_id=" + "a" * 32, **headers)
    line = running.line(answer)
    assert line["privacy"] == privacy
    if privacy:
        assert "set-cookie" not in answer.headers
        assert (line["network_id"], line["remote_addr"]) == ("", "203.0.113.0")
    else:
        assert (line["network_id"], line["remote_addr"]) == ("a" * 32, "203.0.113.9")


@pytest.mark.parametrize(
    ("address", "cut"),
    [
        ("198.51.100.255", "198.51.100.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:db8:1::7", "2001:db8:1::"),
        ("2001:db8::7", "2001:db8::"),
        ("2001::7", "2001::"),
        ("2001:db8::", "2001:db8::"),
        ("::1", "::"),
        ("::", "::"),
    ],
)
def test_every_shape_of_an_address_is_cut(running: Running, address: str, cut: str) -> None:
    assert running.line(running.post(BATCH, X_Forwarded_For=address, Sec_GPC="1"))["remote_addr"] == cut
    page = f"p-{address.replace(':', '-')}"
    httpx.get(f"{running.pixel}/px.gif?e={page}", headers={"X-Forwarded-For": address, "Sec-GPC": "1"})
    (hit,) = waited(lambda: [hit for hit in running.hits() if f"e={page} " in hit])
    assert hit.startswith(f"{cut} - - [")


def test_only_proxies_that_are_trusted_say_whose_request_it_is(start: Started) -> None:
    running = start(trusted_proxies=["10.1.0.0/16"])
    answer = running.post(BATCH, X_Forwarded_For="198.51.100.66, 203.0.113.5, 10.1.2.3")
    assert running.line(answer)["remote_addr"] == "203.0.113.5"


def test_the_pixel_is_a_picture_and_a_combined_line(running: Running) -> None:
    answer = httpx.get(f"{running.pixel}/px.gif?e=p7&a=shop&p=web&v=&u=https%3A%2F%2Fshop.example%2F", headers=OWN_PAGE)
    assert answer.status_code == 200 and answer.content.startswith(b"GIF89a")
    (line,) = waited(lambda: [hit for hit in running.hits() if "e=p7&" in hit])
    assert '"GET /px.gif?e=p7&a=shop&p=web&v=&u=https%3A%2F%2Fshop.example%2F HTTP/1.1" 200 43' in line
    assert "+0000]" in line and '"https://www.shop.example/"' in line


def test_a_page_without_scripts_is_given_an_id_on_its_way(running: Running) -> None:
    answer = httpx.get(f"{running.pixel}/page.gif?a=shop&p=web", follow_redirects=True)
    assert answer.content.startswith(b"GIF89a")
    ids = {httpx.get(f"{running.pixel}/page.gif?a=shop").headers["location"] for _ in range(5)}
    assert len(ids) == 5 and all(each.startswith("/px.gif?e=") for each in ids)


def test_a_full_disk_is_said_before_it_is_true(start: Started) -> None:
    running = start(guard_seconds=3600.0)
    flag(running.settings).touch()
    answer = running.post(BATCH)
    assert answer.status_code == 503 and answer.headers["retry-after"] == "60"
    assert answer.headers["access-control-allow-origin"] == OWN_PAGE["Origin"]
    assert "set-cookie" not in answer.headers
    assert running.line(answer)["status"] == "503"
    assert httpx.get(f"{running.pixel}/px.gif?e=p").status_code == 503
    assert running.ask("GET", "/health").status_code == 503
    # Those who try again and again must not fill what is left.
    before = len(running.lines())
    mute_flag(running.settings).touch()
    assert running.post(BATCH).status_code == 503
    time.sleep(0.2)
    assert len(running.lines()) == before


def test_the_keeper_looks_at_the_disk(start: Started) -> None:
    running = start(reserve_mb=2**40)
    assert waited(lambda: running.post(BATCH).status_code == 503)


@pytest.mark.parametrize(
    ("free_mb", "before", "marks"),
    [
        (1000, set(), set()),
        (511, set(), {"full"}),
        (255, set(), {"full", "mute"}),
        (520, {"full"}, {"full"}),
        (540, {"full"}, set()),
        (260, {"full", "mute"}, {"full", "mute"}),
        (300, {"full", "mute"}, {"full"}),
    ],
)
def test_answers_change_when_the_disk_has_changed_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, before: set[str], marks: set[str]
) -> None:
    settings = made(tmp_path / "home", reserve_mb=512)
    settings.run.mkdir(parents=True)
    for mark in before:
        (settings.run / mark).touch()
    used = shutil.disk_usage(tmp_path)._replace(free=free_mb * 2**20)
    monkeypatch.setattr(guard.shutil, "disk_usage", lambda _: used)
    assert watch_disk(settings) == ("full" in marks)
    assert {path.name for path in settings.run.iterdir()} == marks


def test_one_witness_answers_when_the_other_is_dead(start: Started) -> None:
    running = start()
    tracker = processes.running(running.settings, "tracker")
    assert tracker is not None
    tracker.kill()
    tracker.wait(5)
    assert httpx.get(f"{running.pixel}/px.gif?e=p").status_code == 200
    # What a kill leaves behind does not stop the next start.
    processes.start(running.settings)
    assert running.post(BATCH).status_code == 200
