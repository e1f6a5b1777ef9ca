"""Silence: who is heard less than is expected, and from when on that is an error."""

from datetime import timedelta

import numpy as np
from builders.quality import START, Models, Row

QUIET_DAYS = 30


def heard(
    app_id: str,
    platform: str,
    hours: int,
    mean: float,
    silent: range = range(0),
    first: int = 0,
    host: str | None = None,
) -> list[Row]:
    """Make hours of messages, more by day than by night, none in the silent ones."""
    rng = np.random.default_rng(len(app_id) + int(mean) + sum(map(ord, host or "")))
    rows = []
    for hour in range(first, hours):
        count = int(rng.poisson(mean * (1 + 0.8 * np.sin(hour / 24 * 2 * np.pi))))
        if count and hour not in silent:
            at = START + timedelta(hours=hour)
            rows.append({"hour": at, "event_date": at.date(), "app_id": app_id, "platform": platform,
                         "message_count": count, "visit_count": count, "is_access": False,
                         "collector_host": host})  # fmt: skip
    return rows


def listen(models: Models, rows: list[Row], hours: int) -> None:
    """Run silence over these hours; now is their end."""
    models.fill("stg_lake__events", [])
    models.fill("stg_lake__holidays", [])
    models.fill("stg_lake__pixel_hits", [])
    models.fill("int_messages_hourly", rows)
    models.fill("int_lake_now", [{"latest_received_at": START + timedelta(hours=hours)}])
    models.make("int_hours_with_hits", "silence")


def test_who_is_nobody_is_heard_a_stream_at_a_time(models: Models) -> None:
    """GIVEN a visit, a server's two messages and nine messages of two people without consent THEN these are two."""
    said = {"app_id": "shop", "event_at": START, "received_at": START, "event_date": START.date(),
            "session_date": START.date(), "schema_name": "page_view", "is_access": False,
            "platform": "desktop_web", "stream_id": None}  # fmt: skip
    anonymous = {"visitor_id": None, "session_event_number": None, "is_session_event": False}
    rows = [said | {"event_id": f"v{number}", "visitor_id": "v", "session_event_number": number,
                    "is_session_event": True} for number in (1, 2, 3)]  # fmt: skip
    rows += [said | anonymous | {"event_id": f"a{number}", "stream_id": f"s{number % 2}"} for number in range(9)]
    rows += [said | anonymous | {"event_id": f"b{number}", "platform": "backend"} for number in range(2)]
    models.fill("stg_lake__events", rows)
    models.make("int_messages_hourly")
    found = models.query("select platform, message_count, visit_count from build.intermediate.int_messages_hourly")
    assert sorted(found) == [("backend", 2, 2), ("desktop_web", 12, 3)]


def silences(models: Models) -> dict[tuple[str, str], list[int]]:
    """Say which hours were judged not to be ok, by platform and status."""
    rows = models.query("""
        select platform, status, list(cast(epoch(hour) as bigint) // 3600 order by hour)
        from build.quality.silence where status in ('warn', 'error') group by all
    """)
    first = int(START.timestamp()) // 3600
    return {(platform, status): [hour - first for hour in hours] for platform, status, hours in rows}


def test_servers_that_go_on_do_not_hide_that_all_clients_are_silent(models: Models) -> None:
    """GIVEN web and iOS silent while servers speak THEN all clients are; of servers silent alone nobody is."""
    hours = 24 * 16
    last = range(hours - 2, hours)
    before = range(hours - 26, hours - 24)
    rows = [*heard("shop", "desktop_web", hours, 60, last), *heard("shop", "ios", hours, 60, last),
            *heard("shop", "backend", hours, 60, before)]  # fmt: skip
    listen(models, rows, hours)
    found = models.query("""
        select platform, bool_and(is_all_silent) from build.quality.silence where status = 'error' group by all
    """)
    assert sorted(found) == [("backend", False), ("desktop_web", True), ("ios", True)]


def test_thirty_quiet_days_raise_no_alarm(models: Models) -> None:
    """GIVEN platforms from busy to hardly used, and chance THEN none is said to be silent."""
    hours = QUIET_DAYS * 24
    rows = [row for platform, mean in (("desktop_web", 400), ("ios", 20), ("email", 2), ("api", 0.3))
            for row in heard("shop", platform, hours, mean)]  # fmt: skip
    listen(models, rows, hours)
    assert {key for key in silences(models) if key[1] == "error"} == set()


def test_a_platform_that_falls_silent_is_an_error_within_the_hour(models: Models) -> None:
    """GIVEN a day without a word THEN its first hour that should have spoken fails, and the busy one goes on."""
    rows = heard("shop", "desktop_web", 240, 300) + heard("shop", "ios", 240, 200, silent=range(200, 210))
    listen(models, rows, 240)
    found = silences(models)
    assert found[("ios", "error")][0] == 200
    assert found[("ios", "error")] == list(range(200, 210))
    assert not any(platform == "desktop_web" for platform, _ in found)


def test_a_rarely_heard_platform_is_missed_when_enough_is_missing(models: Models) -> None:
    """GIVEN five messages an hour and two days without THEN it warns before it fails, and not in the first hour."""
    rows = heard("shop", "desktop_web", 480, 300) + heard("shop", "api", 432, 5)
    listen(models, rows, 480)
    found = silences(models)
    assert 432 < found[("api", "warn")][0] < found[("api", "error")][0]


def test_without_a_baseline_silence_is_unknown(models: Models) -> None:
    """GIVEN only the last day, or a platform that is new THEN nothing is ok."""
    listen(models, heard("shop", "ios", 240, 200, first=216), 240)
    assert models.query("select distinct status, is_new from build.quality.silence") == [("unknown", True)]


def test_silence_is_an_error_for_four_weeks_and_then_off_the_roster(models: Models) -> None:
    """GIVEN a platform that is never heard again THEN each later hour of four weeks fails, and it ends there."""
    hours = 60 * 24
    listen(models, heard("shop", "ios", 240, 200) + heard("shop", "desktop_web", hours, 200), hours)
    found = silences(models)[("ios", "error")]
    last_heard = 239
    assert found[0] <= last_heard + 2
    assert found == list(range(found[0], last_heard + 28 * 24 + 1))


HOSTS = """
    select host, list(cast(epoch(hour) as bigint) // 3600 - epoch(timestamptz '2026-03-01 00:00:00+00')::bigint // 3600
        order by hour) from build.quality.silence where status = 'error' group by all order by host nulls first
"""


def test_one_host_of_several_that_falls_silent_is_its_own_error(models: Models) -> None:
    """GIVEN two hosts and one without a word for half a day THEN its hours fail, and the platform is ok."""
    rows = heard("shop", "desktop_web", 240, 200, host="t1") + heard(
        "shop", "desktop_web", 240, 200, silent=range(200, 212), host="t2"
    )
    listen(models, rows, 240)
    assert models.query(HOSTS) == [("t2", list(range(200, 212)))]
    found = models.query("""
        select host, count(*), sum(messages) from build.quality.silence group by 1 order by 1 nulls first
    """)
    assert [host for host, _, _ in found] == [None, "t1", "t2"]
    assert found[0][2] == found[1][2] + found[2][2]


def test_a_host_that_is_alone_is_its_platform(models: Models) -> None:
    listen(models, heard("shop", "ios", 100, 50, host="t1") + heard("shop", "api", 100, 50), 100)
    assert models.query("select distinct platform, host from build.quality.silence order by 1") == [
        ("api", None), ("ios", None),
    ]  # fmt: skip


def test_a_host_that_stays_silent_for_a_week_is_retired_and_new_when_it_comes_back(models: Models) -> None:
    hours = 40 * 24
    silent = range(240, 30 * 24)
    rows = heard("shop", "ios", hours, 200, host="t1") + heard("shop", "ios", hours, 200, silent=silent, host="t2")
    listen(models, rows, hours)
    ((host, failed),) = models.query(HOSTS)
    assert host == "t2"
    assert failed == list(range(failed[0], 239 + 7 * 24 + 1)) and failed[0] <= 241
    back = models.query("select min(hour), bool_and(is_new) from build.quality.silence where host = 't2' and is_new")
    assert back == [(START, True)]
    again = models.query(f"""
        select distinct is_new, first_heard_at from build.quality.silence
        where host = 't2' and hour >= timestamptz '{START + timedelta(days=30)}'
        order by is_new desc
    """)
    assert again == [(True, START + timedelta(days=30)), (False, START + timedelta(days=30))]


def test_many_hosts_with_little_to_do_raise_no_alarm_in_thirty_days(models: Models) -> None:
    """GIVEN twelve hosts of three to a hundred visits an hour, and one that is hardly used THEN none is an error."""
    hours = QUIET_DAYS * 24
    rows = [row for number in range(12) for row in heard("shop", "ios", hours, 3 + 9 * number, host=f"t{number}")]
    listen(models, rows + heard("shop", "ios", hours, 0.2, host="spare"), hours)
    assert models.query(HOSTS) == []


def test_made_up_hosts_flood_no_roster(models: Models) -> None:
    """GIVEN five hundred hosts that clients made up THEN two hundred are watched, and the true ones among them."""
    rows = [
        row | {"collector_host": f"fake{number}", "message_count": 1}
        for number, row in enumerate(heard("shop", "ios", 600, 50)[:500])
    ]
    listen(models, rows + heard("shop", "ios", 600, 50, host="t1") + heard("shop", "ios", 600, 50, host="t2"), 600)
    watched = {
        host for (host,) in models.query("select distinct host from build.quality.silence where host is not null")
    }
    assert len(watched) == 200 and {"t1", "t2"} <= watched


def test_probes_are_on_no_roster(models: Models) -> None:
    listen(models, heard("bloodhound-probe", "desktop_web", 100, 50) + heard("shop", "ios", 100, 50), 100)
    assert models.query("select distinct app_id from build.quality.silence") == [("shop",)]
