"""Checks: what is missing is never ok, and each loss has its name."""

from datetime import date, timedelta
from typing import Any

import pytest
from builders.quality import (
    START,
    WORLD_DAYS,
    Models,
    Row,
    World,
    compare_access,
    hit,
    page_view,
    served,
    statuses,
    viewed,
)


def test_a_whole_world_has_no_error_and_no_warning(models: Models, world: World) -> None:
    world.check(models)
    assert models.query("select * from build.quality.checks where status in ('warn', 'error')") == []
    assert models.query("select count(*) from build.quality.incidents") == [(0,)]
    assert models.query("select sum(abs(balance)), count(distinct stage) from build.quality.stage_balance") == [(0, 5)]


def test_without_a_pixel_log_loss_is_unknown_on_every_day(models: Models, world: World) -> None:
    World(world.views, []).check(models)
    for check in ("event_loss", "pixel_loss"):
        assert list(statuses(models, check).values()) == ["unknown"] * WORLD_DAYS


def test_a_day_without_a_pixel_log_is_unknown_and_the_others_stay_ok(models: Models, world: World) -> None:
    World(world.views, [row for row in world.hits if row["hit_date"].day != 3]).check(models)
    found = statuses(models, "event_loss")
    assert found["2026-03-03 shop desktop_web"] == "unknown"
    assert found["2026-03-02 shop desktop_web"] == "ok"


def test_a_day_without_events_is_an_error_of_pixel_and_indexes(models: Models, world: World) -> None:
    """GIVEN a day's event logs are gone THEN both say so, as one incident each; after three days silence cannot."""
    World([row for row in world.views if row["viewed_at"].day != 4], world.hits).check(models)
    assert statuses(models, "event_loss")["2026-03-04 shop desktop_web"] == "error"
    assert statuses(models, "silence")["2026-03-04 shop desktop_web"] == "unknown"
    assert statuses(models, "message_gaps")["2026-03-05 shop desktop_web"] == "error"
    rows = models.query("""select "check", first_date, last_date from build.quality.incidents order by 1""")
    fourth, fifth = date(2026, 3, 4), date(2026, 3, 5)
    assert rows == [("event_loss", fourth, fourth), ("message_gaps", fifth, fifth)]


def test_a_collector_whose_log_is_gone_is_an_error(models: Models, world: World) -> None:
    """GIVEN every other message of each stream is not there for two days THEN pixel and indexes say so."""
    kept = [row for number, row in enumerate(world.views) if number // 50 % 2 or row["viewed_at"].day not in (3, 4)]
    World(kept, world.hits).check(models)
    for check in ("event_loss", "message_gaps"):
        found = statuses(models, check)
        assert found["2026-03-03 shop desktop_web"] == found["2026-03-04 shop desktop_web"] == "error"
    ((first, last, is_ongoing),) = models.query("""
        select first_date, last_date, is_ongoing from build.quality.incidents where "check" = 'event_loss'
    """)
    assert (first, last, is_ongoing) == (date(2026, 3, 3), date(2026, 3, 4), False)
    seen = models.query("""
        select distinct cast(first_seen as date) from build.quality.checks
        where "check" = 'event_loss' and status = 'error'
    """)
    assert seen == [(date(2026, 3, 3),)]


@pytest.mark.parametrize(
    ("data", "value", "status"),
    [
        ('{"queued":3,"dropped":0,"purged":0}', 0, "ok"),
        ('{"dropped":20,"purged":10}', 30 / 1471, "warn"),
        ('{"dropped":1e12,"purged":-5}', 1000 / 2441, "error"),
        ('{"dropped":"many"}', 0, "ok"),
        (None, 0, "ok"),
    ],
)
def test_what_trackers_gave_up_is_told(models: Models, world: World, data: str, value: float, status: str) -> None:
    """GIVEN a page that says what it gave up, truly or not THEN its day says so, and no saying is worth more."""
    at = START + timedelta(hours=26)
    told = {
        "event_id": "health", "schema_name": "custom.tracker_health", "data_json": data, "app_id": "shop",
        "platform": "desktop_web", "event_at": at, "received_at": at, "event_date": at.date(),
        "session_date": at.date(), "is_access": False,
    }  # fmt: skip
    world.check(models, said=[told])
    ((found, judged),) = models.query(
        """select value, status from build.quality.checks where "check" = 'given_up' and date = date '2026-03-02'"""
    )
    assert (found, judged) == (pytest.approx(value), status)


def test_without_a_baseline_no_day_is_ok(models: Models, world: World) -> None:
    World([row for row in world.views if row["viewed_at"].day == 5], world.hits).check(models)
    assert statuses(models, "silence") == {"2026-03-05 shop desktop_web": "unknown"}


def test_nothing_at_all_is_unknown_in_every_check_that_measures(models: Models) -> None:
    World([], []).check(models)
    found = models.query("""select "check", status from build.quality.checks where status = 'ok'""")
    assert {check for check, _ in found} <= {"currency_rates", "orders_with_id", "orders_with_revenue"}
    expected = {"stage_balance", "event_loss", "message_gaps", "silence", "quarantine_share", "unknown_schema"}
    assert expected <= {check for (check,) in models.query("""select "check" from build.quality.checks""")}


def probed(number: int, status: str, run: str = "1-a", hour: int = 1) -> Row:
    """Make what became of a probe's message."""
    return {"run_id": run, "run_kinds": "ab", "message_number": number, "kind": f"kind {number}", "status": status,
            "sent_at": START + timedelta(hours=hour)}  # fmt: skip


@pytest.mark.parametrize(
    ("second", "status", "value", "hint"),
    [
        ("found", "ok", 0, None),
        ("late", "warn", 0, "See quality.probes: kind 2 late"),
        ("changed", "error", 1, "See quality.probes: kind 2 changed"),
        ("lost", "error", 1, "See quality.probes: kind 2 lost"),
    ],
)
def test_the_latest_probe_speaks_for_the_way(
    models: Models, second: str, status: str, value: float, hint: str | None
) -> None:
    """GIVEN a run that was lost and a later one THEN the later one's worst message is the check."""
    before = [probed(1, "lost", "0-b", hour=0), probed(2, "lost", "0-b", hour=0)]
    World([], []).check(models, probes=[*before, probed(1, "found"), probed(2, second)])
    assert models.query("""
        select scope, status, value, hint from build.quality.checks where "check" = 'probe'
    """) == [("run 1-a", status, value, hint)]


def test_without_a_probe_the_way_is_unknown(models: Models) -> None:
    World([], []).check(models)
    assert statuses(models, "probe") == {"all": "unknown"}


def test_probes_are_in_no_check_of_people_and_make_no_tracker_of_a_site_without(models: Models) -> None:
    """GIVEN a web server's log and a probe THEN the log counts as if the probe were not there."""
    World([], []).check(models)
    sent = viewed(1, "/a", app_id="bloodhound-probe")
    compare_access(models, served(1, "/a"), sent)
    models.make("int_access_policy")
    assert models.query("select is_access_counted from build.intermediate.int_access_policy") == [(True,)]
    assert models.query("select count(*) from build.quality.access_loss_daily") == [(0,)]
    models.fill("int_shares_daily", [
        {"check_name": "quarantine_share", "check_date": START.date(), "app_id": app_id, "platform": "ios", "part": 50,
         "whole": 50} for app_id in ("shop", "bloodhound-probe")
    ])  # fmt: skip
    models.fill("silence", [])
    models.make("int_checks_daily")
    assert models.query("select app_id, status from build.intermediate.int_checks_daily") == [("shop", "error")]


def requests(models: Models, files: list[Row], visits: list[Row]) -> dict[str, tuple[float | None, str, str | None]]:
    """Judge collectors' files and visits; say each check's value, status and hint."""
    models.fill("stg_lake__files", [{"inbox_folder": "events"} | row for row in files])
    models.fill("int_sessions_aggregated", [
        {"is_bot": False, "address_from_client": False} | row for row in visits
    ])  # fmt: skip
    models.make("int_request_checks")
    rows = models.query("select check_name, check_value, status, hint from build.intermediate.int_request_checks")
    return {check: (value, status, hint) for check, value, status, hint in rows}


def log(name: str, lines: int, unrouted: int, paths: str | None = None) -> Row:
    return {"source_file": name, "line_count": lines, "unrouted_count": unrouted, "unrouted_paths": paths}


def test_requests_that_are_for_nobody_are_told_with_their_paths(models: Models) -> None:
    """GIVEN all, a third, a few and none of the requests without a message THEN it fails, warns and is well."""
    value, status, hint = requests(models, [log("b", 400, 400, "/e/ (400)"), log("a", 4, 2, "/x (2)")], [])[
        "unrouted_requests"
    ]
    assert (round(value or 0, 3), status) == (0.995, "error")
    assert hint is not None and "for /e/ (400), /x (2):" in hint
    for unrouted, expected in ((500, "warn"), (20, "ok")):
        assert requests(models, [log("a", 1000, unrouted, "/x")], [])["unrouted_requests"][1] == expected
    assert requests(models, [], [])["unrouted_requests"][1] == "unknown"
    assert requests(models, [log("a", 9, 9) | {"inbox_folder": "access"}], [])["unrouted_requests"][1] == "unknown"


def test_addresses_that_anybody_can_send_are_told(models: Models) -> None:
    claimed = [{"ip": f"192.0.2.{number}", "address_from_client": number < 30} for number in range(40)]
    assert requests(models, [], claimed)["claimed_addresses"] == (0.75, "warn", None)
    assert requests(models, [], claimed[30:])["claimed_addresses"][:2] == (0, "ok")
    assert requests(models, [], [{"ip": None}])["claimed_addresses"][1] == "unknown"


def test_an_address_that_has_nearly_all_visits_is_told(models: Models) -> None:
    others = [{"ip": f"192.0.2.{number}"} for number in range(10)]
    proxy = [{"ip": "198.51.100.1"}] * 90
    value, status, hint = requests(models, [], [*others, *proxy])["one_address"]
    assert (value, status) == (0.9, "warn")
    assert hint is not None and hint.startswith("90 of 100 visits come from 198.51.100.1")
    assert requests(models, [], [*others, *others, *others])["one_address"][1] == "ok"
    assert requests(models, [], proxy[:29])["one_address"][1] == "unknown"
    assert requests(models, [], [*others * 3, *({"is_bot": True} | row for row in proxy)])["one_address"][1] == "ok"


def test_a_stage_that_loses_messages_is_named(models: Models, world: World) -> None:
    world.check(models, lost_by_parse=3)
    assert statuses(models, "stage_balance")["judge"] == "error"
    ((hint,),) = models.query("""
        select hint from build.quality.checks where "check" = 'stage_balance' and scope = 'judge'
    """)
    assert hint.startswith("At judge messages went missing or came twice, first on 2026-03-01")


def test_each_cause_has_its_step_in_the_waterfall(models: Models, world: World) -> None:
    """GIVEN lost, refused and late messages, and pages of streams that never arrived THEN each is where it belongs."""
    gone = {number for number in range(1000, 1100)}
    refusals = {number for number in range(1200, 1210)}
    unseen = [hit(page_view(number, 20, visitor_id=f"blocked{number}")) for number in range(90_000, 90_040)]
    views = [row for number, row in enumerate(world.views) if number not in gone | refusals]
    quarantine = [
        {name: world.views[number][name] for name in ("event_id", "app_id", "platform", "tracker", "stream_id",
                                                      "message_index")}
        | {"schema_name": "page_view", "reason": "malformed_key", "source_file": "events/a",
           "received_at": world.views[number]["viewed_at"]}
        for number in refusals
    ]  # fmt: skip
    World(views, world.hits + unseen).check(models, quarantine)
    rows = dict(
        models.query("""
        select cause, sum(messages)::int from build.quality.loss_by_cause where date = '2026-03-01' group by 1
    """)
    )
    assert rows["lost_before_collector"] == -100
    assert rows["rejected"] == -10
    assert rows["unexplained"] == -40
    assert rows["sent"] == 1440 + 40
    assert (
        rows["sent"] + sum(value for cause, value in rows.items() if cause not in ("sent", "counted"))
        == rows["counted"]
    )


def test_an_incident_has_the_threshold_that_its_worst_day_broke(models: Models) -> None:
    """GIVEN a day that warns, one in error and one that warns again THEN the error's threshold and days are told."""
    shares = [
        {"check_name": "event_loss", "check_date": START.date() + timedelta(days=number), "app_id": "shop",
         "platform": "desktop_web", "part": lost, "whole": 10_000}
        for number, lost in enumerate((300, 900, 400))
    ]  # fmt: skip
    World([], []).check(models)
    models.fill("int_shares_daily", shares)
    models.make("int_checks_daily", "int_incidents_cut")
    assert models.query("""
        select first_date, last_date, status, worst_value, threshold from build.intermediate.int_incidents_cut
    """) == [(START.date(), START.date() + timedelta(days=2), "error", 0.09, 0.05)]


@pytest.mark.parametrize(
    ("host", "is_all_silent", "beginning"),
    [
        ("t0.example", False, "Silent: t0.example. See"),
        (None, True, "Silent: all clients at once"),
        (None, False, "See"),
    ],
)
def test_silence_says_who_is_silent(models: Models, host: str | None, is_all_silent: bool, beginning: str) -> None:
    World([], []).check(models)
    models.fill("silence", [{"hour": START, "app_id": "shop", "platform": "ios", "host": host, "missed": 30.0,
                             "status": "error", "is_all_silent": is_all_silent}])  # fmt: skip
    models.make("int_checks_daily")
    ((status, warn, error, hint),) = models.query("""
        select status, warn, error, hint from build.intermediate.int_checks_daily
    """)
    assert (status, warn, error) == ("error", 10, 20) and hint.startswith(beginning)


def test_hosts_that_are_silent_all_together_are_not_named(models: Models) -> None:
    """GIVEN two hosts and so the whole platform silent in an hour THEN the platform is, and no host is blamed."""
    World([], []).check(models)
    silent = {"hour": START, "app_id": "shop", "platform": "ios", "missed": 30.0, "status": "error"}
    models.fill(
        "silence", [silent | {"host": host, "is_all_silent": False} for host in (None, "t0.example", "t1.example")]
    )
    models.make("int_checks_daily")
    ((hint,),) = models.query("select hint from build.intermediate.int_checks_daily")
    assert hint.startswith("See")


def test_a_line_that_comes_again_stands_in_quarantine_once(models: Models) -> None:
    """GIVEN a file with a line twice, the same compressed, and an early part of it THEN each refusal is one row."""

    def line(file: str, file_id: int, number: int, payload: str, **columns: Any) -> Row:
        said = {"reason": "bad_line", "detail": "not a JSON object", "payload": payload, "received_at": None}
        return said | {"source_file": file, "file_id": file_id, "line_number": number} | columns

    whole = [("x", 1), ("y", 2), ("x", 3)]
    rows = [line(file, file_id, number, payload) for file, file_id in (("events/b.jsonl", 2), ("events/a.jsonl.gz", 1))
            for payload, number in whole]  # fmt: skip
    rows += [line("events/early.jsonl", 3, number, payload) for payload, number in whole[:2]]
    rows += [line("events/b.jsonl", 2, 9, "x", batch_position=position, reason="bad_body") for position in (0, 1)]
    models.fill("stg_lake__quarantine", rows)
    models.make("quarantine")
    found = models.query("select source_file, line_number, payload from build.quality.quarantine order by all")
    assert found == [
        ("events/a.jsonl.gz", 1, "x"), ("events/a.jsonl.gz", 2, "y"), ("events/a.jsonl.gz", 3, "x"),
        ("events/b.jsonl", 9, "x"), ("events/b.jsonl", 9, "x"),
    ]  # fmt: skip
