"""Formats of access logs: what is written in each is read back the same, and what is in none is refused by name."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from builders import BROWSER, PHONE, House, combined, event, lines, request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl import pipeline
from etl.formats.recognise import recognise
from etl.lake.catalogue import Lake
from etl.lake.landed import landings
from etl.vocabulary.log_formats import FORMATS


@dataclass(frozen=True)
class Seen:
    """What a server saw: a page read by somebody."""

    when: datetime
    ip: str
    path: str
    query: str
    referrer: str
    agent: str

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def clock(self) -> str:
        return self.when.strftime("%d/%b/%Y:%H:%M:%S +0000")


def quoted(seen: Seen, head: str, tail: str = "") -> str:
    return (
        f'{head} - - [{seen.clock}] "GET {seen.target} HTTP/1.1" 200 512 "{seen.referrer or "-"}" "{seen.agent}"{tail}'
    )


def caddy(seen: Seen) -> str:
    headers = {"User-Agent": [seen.agent]} | ({"Referer": [seen.referrer]} if seen.referrer else {})
    asked = {"remote_ip": seen.ip, "method": "GET", "host": "shop.example", "uri": seen.target, "headers": headers}
    return json.dumps({"level": "info", "ts": seen.when.timestamp(), "request": asked, "status": 200})


def traefik(seen: Seen) -> str:
    said = {"ClientHost": seen.ip, "DownstreamStatus": 200, "RequestMethod": "GET", "RequestPath": seen.target,
            "StartUTC": f"{seen.when:%Y-%m-%dT%H:%M:%S.000000001Z}", "request_User-Agent": seen.agent}  # fmt: skip
    return json.dumps(said | ({"request_Referer": seen.referrer} if seen.referrer else {}))


def logpush(seen: Seen) -> str:
    return json.dumps({
        "ClientIP": seen.ip, "ClientRequestHost": "shop.example", "ClientRequestMethod": "GET",
        "ClientRequestURI": seen.target, "ClientRequestReferer": seen.referrer, "ClientRequestUserAgent": seen.agent,
        "EdgeResponseStatus": 200, "EdgeStartTimestamp": int(seen.when.timestamp()) * 1_000_000_000,
    })  # fmt: skip


def cloudfront_json(seen: Seen) -> str:
    names = CLOUDFRONT_FIELDS.splitlines()[1].split()[1:]
    return json.dumps(dict(zip(names, cloudfront(seen).split("\t"), strict=True)))


def nginx_json(seen: Seen) -> str:
    return json.dumps({
        "time_iso8601": seen.when.isoformat(), "remote_addr": seen.ip, "request_method": "GET", "uri": seen.path,
        "args": seen.query, "status": "200", "http_referer": seen.referrer, "http_user_agent": seen.agent,
    })  # fmt: skip


def balancer(seen: Seen) -> str:
    asked = f"GET https://www.shop.example:443{seen.target} HTTP/2.0"
    return (
        f"h2 {seen.when:%Y-%m-%dT%H:%M:%S.%fZ} app/my-alb/50dc {seen.ip}:42000 10.0.0.66:9000 0.000 0.002 0.000 200 200"
        f' 5 257 "{asked}" "{seen.agent}" ECDHE TLSv1.2 arn:aws:x "Root=1-5" "www.shop.example" "-" 0'
    )


def w3c(seen: Seen) -> str:
    return (
        f"{seen.when:%Y-%m-%d %H:%M:%S} 10.0.0.4 GET {seen.path} {seen.query or '-'} 443 - {seen.ip}"
        f" {seen.agent.replace(' ', '+')} {seen.referrer or '-'} 200 0 0 12"
    )


def cloudfront(seen: Seen) -> str:
    cells = [f"{seen.when:%Y-%m-%d}", f"{seen.when:%H:%M:%S}", "DFW3", "563", seen.ip, "GET", "d1.cloudfront.net",
             seen.path, "200", seen.referrer or "-", quote(seen.agent, safe="/();,"), seen.query or "-"]  # fmt: skip
    return "\t".join(cells)


W3C_FIELDS = (
    "#Software: Microsoft Internet Information Services 10.0\n#Fields: date time s-ip cs-method cs-uri-stem"
    " cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status"
    " time-taken\n"
)
CLOUDFRONT_FIELDS = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status"
    " cs(Referer) cs(User-Agent) cs-uri-query\n"
)
WRITERS: dict[str, tuple[str, str, Callable[[Seen], str]]] = {
    # folder: (format, what the file begins with, how a line is written)
    "combined": ("combined", "", lambda seen: quoted(seen, seen.ip)),
    "timed": ("combined", "", lambda seen: quoted(seen, seen.ip, ' 0.003 "gzip"')),
    "port": ("combined", "", lambda seen: quoted(seen, f"[{seen.ip}]:80" if ":" in seen.ip else f"{seen.ip}:80")),
    "dash": ("combined", "", lambda seen: quoted(seen, f"- {seen.ip}")),
    "in_quotes": ("combined", "", lambda seen: quoted(seen, f'"{seen.ip}"')),
    "iso_time": ("combined", "", lambda seen: quoted(seen, seen.ip).replace(seen.clock, seen.when.isoformat())),
    "millis": ("combined", "", lambda seen: quoted(seen, seen.ip).replace(" +0000]", ".000 +0000]")),
    "syslog": ("combined", "", lambda seen: quoted(seen, f"<190>Mar  1 10:00:00 10.0.0.5 nginx: {seen.ip}")),
    "syslog_5424": ("combined", "", lambda seen: quoted(seen, f"<13>1 2026-03-01T10:00Z 10.9.9.9 n - - - {seen.ip}")),
    "pod": ("combined", "", lambda seen: quoted(seen, f"2026-03-01T10:00:00.123456789Z stdout F {seen.ip}")),
    "late_chain": ("combined", "", lambda seen: quoted(seen, "10.0.0.5", f' 7 "0.012" "{seen.ip}, 10.0.0.9"')),
    "main": ("main", "", lambda seen: quoted(seen, seen.ip, ' "-"')),
    "proxied": ("main", "", lambda seen: quoted(seen, "10.0.0.5", f' "{seen.ip}, 64.252.1.1"')),
    "vhost": ("vhost_combined", "", lambda seen: quoted(seen, f"www.shop.example:443 {seen.ip}")),
    "server": ("server_first", "", lambda seen: quoted(seen, f"192.0.2.10 {seen.ip}")),
    "chain": ("forwarded_first", "", lambda seen: quoted(seen, f"{seen.ip}, 10.1.1.1 10.0.0.5")),
    "common": ("common", "", lambda seen: quoted(seen, seen.ip).partition(' "' + (seen.referrer or "-"))[0]),
    "alb": ("aws_load_balancer", "", balancer),
    "iis": ("w3c", W3C_FIELDS, w3c),
    "cloudfront": ("cloudfront", CLOUDFRONT_FIELDS, cloudfront),
    "caddy": ("caddy", "", caddy),
    "traefik": ("traefik", "", traefik),
    "logpush": ("cloudflare", "", logpush),
    "cloudfront_json": ("cloudfront_json", "", cloudfront_json),
    "json": ("nginx_json", "", nginx_json),
}  # fmt: skip
LESS = {"common": {"referrer", "user_agent"}, "alb": {"referrer"}}
"""What a format does not say."""

SEEN = st.builds(
    Seen,
    when=st.integers(1_772_323_200, 1_772_582_399).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    ip=st.sampled_from(["203.0.113.9", "198.51.100.20", "2001:db8::7", "192.0.2.77"]),
    path=st.sampled_from(["/", "/a/b", "/caf%C3%A9", "/x.html", "/~me/"]),
    query=st.sampled_from(["", "", "a=1&b=2", "utm_source=x"]),
    referrer=st.sampled_from(["", "https://www.google.com/", "https://b.example/x?y=1"]),
    agent=st.sampled_from([BROWSER, PHONE, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"]),
)


def test_every_format_of_the_register_is_tried() -> None:
    assert {name for name, _, _ in WRITERS.values()} == FORMATS.keys()


@settings(
    max_examples=5, deadline=None, phases=(Phase.generate,), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(truth=st.lists(SEEN, min_size=3, max_size=25, unique=True))
def test_what_is_written_in_any_format_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, truth: list[Seen]
) -> None:
    house = House(tmp_path_factory.mktemp("formats"))
    for folder, (name, begins, write) in WRITERS.items():
        content = (begins + "".join(f"{write(seen)}\n" for seen in truth)).encode()
        found = recognise(content.split(b"\n"))
        assert found is not None and found.name == name, (folder, found)
        house.put(f"access/{folder}/whatever.{folder}", content)
    assert pipeline.land(house.settings)["failed"] == []
    pipeline.parse(house.settings)
    assert house.quarantine() == []
    rows = house.scan("messages", "app_id, line_number")
    for folder, (_, begins, _) in WRITERS.items():
        read = [row for row in rows if row["app_id"] == f"access:{folder}"]
        skipped = begins.count("\n")
        less = LESS.get(folder, set())
        for row, seen in zip(read, truth, strict=True):
            expected = {
                "received_at": seen.when, "ip": seen.ip, "url": seen.target, "referrer": seen.referrer or None,
                # This server writes a blank as it writes a plus.
                "user_agent": seen.agent.replace("+", " ") if folder == "iis" else seen.agent,
            }  # fmt: skip
            assert {key: row[key] for key in expected} == expected | dict.fromkeys(less), folder
            assert row["line_number"] == skipped + truth.index(seen) + 1
    assert {row["ua_bot_reason"] for row in rows if row["app_id"] == "access:common"} == {None}
    people = {(row["ip"], row["user_agent"]): row["visitor_id"] for row in rows}
    assert len(set(people.values())) == len(people)


ODD: dict[str, tuple[list[str], list[tuple[str, str, str | None]]]] = {
    # what: (lines, the address, path and agent of each page view)
    "a blank in the path": (['203.0.113.9 - - [CLOCK] "GET /a b?q=c d HTTP/1.1" 200 5 "-" "Agent"'],
                            [("203.0.113.9", "/a%20b?q=c%20d", "Agent")]),
    "ISO times with a blank before the zone": (
        ['203.0.113.9 - - [2026-03-01 11:00:00 +0100] "GET /a HTTP/1.1" 200 5 "-" "Agent"',
         '203.0.113.9 - - [2026-03-01T10:00:00.5+00:00] "GET /b HTTP/1.1" 200 5 "-" "Agent"'],
        [("203.0.113.9", "/a", "Agent"), ("203.0.113.9", "/b", "Agent")]),
    "JSON with escapes that are none": (
        [r'{"time_iso8601":"2026-03-01T10:00:00Z","remote_addr":"203.0.113.9","request":"GET /caf\xC3\xA9 HTTP/1.1",'
         r'"status":"200","http_user_agent":"A \x22q\x22"}'],
        [("203.0.113.9", "/caf%C3%A9", 'A "q"')]),
    "the address that Caddy itself trusts": (
        ['{"ts":1772359200.5,"request":{"remote_ip":"172.68.1.1","client_ip":"203.0.113.9","method":"GET","uri":"/a",'
         '"headers":{"User-Agent":["Agent"]}},"status":200}'], [("203.0.113.9", "/a", "Agent")]),
    "Caddy's other clocks": (
        [f'{{"ts":{clock},"request":{{"remote_ip":"203.0.113.9","method":"GET","uri":"/{number}"}},"status":200}}'
         for number, clock in enumerate(["1772359200123.4", "1772359200123456789", '"2026-03-01T10:00:00.123Z"',
                                         '"2026/03/01 10:00:00.123"'])],
        [("203.0.113.9", f"/{number}", None) for number in range(4)]),
    "a W3C log with tabs": (
        ["#Fields:\tdate\ttime\tc-ip\tcs-method\tcs-uri-stem\tsc-status",
         "2026-03-01\t10:00:00\t203.0.113.9\tGET\t/a\t200"], [("203.0.113.9", "/a", None)]),
    "an agent that CloudFront wrote twice": (
        ["#Fields: date time x-edge-location c-ip cs-method cs-uri-stem sc-status cs(User-Agent)",
         "\t".join(["2026-03-01", "10:00:00", "FRA2", "203.0.113.9", "GET", "/a", "200", "An%2520agent%252F5"])],
        [("203.0.113.9", "/a", "An agent/5")]),
    "a chain after the agent, behind another field": (
        ['10.0.0.5 - - [CLOCK] "GET /a HTTP/1.1" 200 5 "-" "Ag\\"ent" "0.1" "203.0.113.9, 10.0.0.7"'],
        [("203.0.113.9", "/a", 'Ag"ent')]),
}  # fmt: skip


@pytest.mark.parametrize("what", ODD)
def test_odd_lines_of_servers_that_people_run_are_read(house: House, what: str) -> None:
    rows, expected = ODD[what]
    house.put("access/a.log", lines(row.replace("CLOCK", "01/Mar/2026:10:00:00 +0000") for row in rows))
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    assert house.reasons() == []
    read = house.scan("messages", "line_number")
    assert [(row["ip"], row["url"], row["user_agent"]) for row in read] == expected
    assert {f"{row['received_at']:%Y-%m-%d %H:%M:%S}" for row in read} == {"2026-03-01 10:00:00"}


def test_of_two_public_addresses_in_front_the_one_that_varies_is_the_clients(house: House) -> None:
    """GIVEN a proxy's header before its own address THEN it is the client's, once the proxy is trusted."""
    head = '{} {} - - [01/Mar/2026:10:00:0{} +0000] "GET /a HTTP/1.1" 200 5 "-" "Agent"'
    house.put("access/a/a.log", lines(head.format(f"203.0.113.{n}", "172.68.1.1", n) for n in range(5)))
    house.put("access/b/a.log", lines(head.format("192.0.2.10", f"203.0.113.{n}", n) for n in range(5)))
    house.keys["trusted_proxies"] = ["172.64.0.0/13"]
    house.digest()
    found = {(row["app_id"], row["ip"]) for row in house.events()}
    assert found == {(f"access:{folder}", f"203.0.113.{n}") for folder in "ab" for n in range(5)}


def test_columns_may_change_in_the_middle_of_a_table(house: House) -> None:
    """A server that starts again writes its header again, and somebody may have added a column."""
    seen = Seen(datetime(2026, 3, 1, 10, tzinfo=UTC), "203.0.113.9", "/a", "", "", BROWSER)
    other = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n2026-03-02 10:00:00 198.51.100.9 GET /b 200\n"
    house.put("access/u_ex.log", (W3C_FIELDS + w3c(seen) + "\n" + other + "2026-03-02 10:00 198.51.100.9\n").encode())
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    rows = house.scan("messages", "line_number")
    assert [(row["ip"], row["url"], row["user_agent"]) for row in rows] == [
        ("203.0.113.9", "/a", BROWSER), ("198.51.100.9", "/b", None),
    ]  # fmt: skip
    assert house.reasons() == [("bad_line", "not in w3c format")]


UNREAD = {
    "an error log": (b'2026/03/10 10:00:01 [error] 12#12: *1 open() "/x" failed\n', "a web server's error log"),
    "HAProxy": (b"Mar 10 10:00:01 lb haproxy[12]: 203.0.113.9:1 [10/Mar/2026:10:00:01.123] f b/s 0/0/1/2/3 200\n",
                "HAProxy's log"),
    "syslog": (b"Mar 10 10:00:01 host sshd[12]: Accepted\n", "a syslog"),
    "Google Cloud": (b'{"insertId":"x","httpRequest": {"requestMethod":"GET"}}\n', "a Google Cloud log"),
    "events": (b'{"request_id":"r","received_at":1,"path":"/t"}\n',
               "a collector's request log, which belongs into events/"),
    "JSON": (b'{"a":1}\n', "a log as JSON"),
    "HTML": (b"<!DOCTYPE html>\n<html>\n", "a page of HTML"),
    "a container's": (b'{"log":"203.0.113.9 - - [01/Mar/2026:10:00:00 +0000] \\"GET /\\" 200 5\\n","stream":"s"}\n',
                      "a container engine's log around another"),
    "clocks of its own": (b'203.0.113.9 - - [10-03-2026 10h] "GET / HTTP/1.1" 200 5 "-" "Agent"\n',
                          "a web server's log whose times are not read"),
    "UTF-16": ("dear diary\n".encode("utf-16"), "a text in UTF-16 (save it as UTF-8)"),
    "prose": (b"dear diary\n", "no log that is known"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "no log that is known"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNREAD)
def test_file_in_no_format_is_refused_once_and_by_name(house: House, what: str) -> None:
    content, title = UNREAD[what]
    house.put("access/a.log", content * 50)
    reason = f"looks like {title}; not read; see docs/formats.md"
    assert pipeline.land(house.settings)["failed"] == [{"file": "access/a.log", "reason": f"ignored: {reason}"}]
    pipeline.parse(house.settings)
    assert house.quarantine() == [] and house.scan("raw") == []
    assert pipeline.land(house.settings)["failed"] == []


AN_ARRAY = "an array of JSON (write an object a line, as jq -c '.[]' does)"
NO_REQUESTS = {
    "an array": (b'[{"event_name":"x","event_timestamp":"1"},\n{"event_name":"x","event_timestamp":"2"}]\n', AN_ARRAY),
    "an array of a line": (b'[{"event_name":"x","event_timestamp":"1"}]\n', AN_ARRAY),
    "an indented array": (b'[\n  {\n    "event_name": "x"\n  }\n]\n', AN_ARRAY),
    "an indented object": (
        b'{\n  "messages": []\n}\n', "JSON of many lines (write an object a line, as jq -c . does)"
    ),
    "a web server's log": (
        lines([combined("10:00:00 /a")]), "a combined log, which belongs into access/ or pixel/"
    ),
    "PostHog's": (lines([{"uuid": "u", "event": "$pageview", "distinct_id": "d", "properties": {}}] * 3),
                  "PostHog's export"),
    "batches": (lines([{"batch": [], "sentAt": "t"}]),
                "batches as a tracker posts them (write a call a line, as jq -c '.batch[]' does)"),
    "JSON of nginx": (lines([{"remote_addr": "203.0.113.9", "status": 200, "request": "GET / HTTP/1.1"}]),
                      "nginx's log as JSON, which belongs into access/ or pixel/"),
    "an error log": (UNREAD["an error log"][0], UNREAD["an error log"][1]),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_REQUESTS)
def test_events_that_are_no_requests_are_refused_once(house: House, what: str) -> None:
    content, title = NO_REQUESTS[what]
    house.put("events/a.json", content)
    house.digest()
    (landed,) = house.landings()
    assert (landed.status, landed.detail) == ("ignored", f"looks like {title}; not read; see docs/formats.md")
    assert house.quarantine() == []


@pytest.mark.parametrize(
    "line",
    ["{", '{"distinct_id":"d","event":"e","properties":{}}', '{"request_id":"r","recei', "nonsense", "", '[{"a":1}]'],
)
def test_a_line_that_is_no_request_does_not_refuse_the_others(house: House, line: str) -> None:
    house.put("events/a.json", lines([line, request([event("10:00 /a")])]))
    house.digest()
    assert len(house.events()) == 1


def test_folder_says_which_format_where_the_lines_do_not(house: House) -> None:
    log = lines([combined("10:00:00 /a", ip="10.0.0.9 10.0.0.7"), combined("10:00:01 /a", ip="10.0.0.9 10.0.0.8")])
    house.put("access/inside/a.log", log)
    house.put("access/prose/a.log", b"dear diary\n")
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    assert {row["ip"] for row in house.scan("messages")} == {"10.0.0.9"}
    house.keys["log_formats"] = {"access/inside": "server_first", "access/prose": "combined"}
    assert [failure["file"] for failure in pipeline.land(house.settings)["failed"]] == []
    pipeline.parse(house.settings)
    assert {row["ip"] for row in house.scan("messages")} == {"10.0.0.7", "10.0.0.8"}
    assert {landing.source_file: landing.contents[-1].status for landing in landings(Lake(house.settings))} == {
        "access/inside/a.log": "landed", "access/prose/a.log": "landed",
    }  # fmt: skip
    assert house.reasons() == [("bad_line", "not in combined format")]


def test_paths_that_are_no_pages_count_nothing(house: House) -> None:
    paths = ["/a", "/api/x", "/api", "/graphql", "/graphql?q=1", "/graphqlx", "/wp-json/wp/v2", "/shop/api/x", "/apis/"]
    log = lines([combined(f"10:00:00 {path}") for path in paths])
    house.keys["no_pages"] = {"access": ["/api/", "/graphql", "/wp-json/"], "access/own": ["*/api/", "/apis"]}
    for folder in ("a", "own", "owner"):
        house.put(f"access/{folder}/a.log", log)
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    rows = house.scan("messages", "app_id, line_number")
    found: dict[str, Any] = {}
    for row in rows:
        found.setdefault(row["app_id"], []).append(row["url"])
    ordinary = ["/a", "/api", "/graphqlx", "/shop/api/x", "/apis/"]
    assert found == {
        "access:a": ordinary, "access:owner": ordinary,
        "access:own": ["/a", "/api", "/graphql", "/graphql?q=1", "/graphqlx", "/wp-json/wp/v2"],
    }  # fmt: skip


def test_formats_are_described() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "formats.md").read_text()
    assert [name for name in FORMATS if f"`{name}`" not in page] == []
