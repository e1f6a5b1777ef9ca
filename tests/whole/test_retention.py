"""Two months of which the first is sealed: nothing moves its figures but who is erased, by the operator's commands."""

import json
from pathlib import Path

import pytest
from builders import House, each, events
from builders.command import etl
from builders.tables import asked, differing, tables

KEPT = {"BLOODHOUND_KEEP_DAYS": '{"raw": 32, "quarantine": 32}'}
BOOKS = {"quality.ledger", "quality.quarantine", "quality.stage_balance", "quality.sealed_days", "quality.restatements",
         "quality.erasures", "quality.checks", "quality.incidents"}  # fmt: skip
"""Tables that speak of files, of what was refused, and of publications: they say what became of a late file."""
MARK = "is_sealed"
"""Of a sealed day nothing but this changes."""
MARKED = {
    "executive.kpi_daily": "date", "executive.kpi_daily_by_country": "date", "traffic.pages_daily": "date",
    "traffic.hours": "date", "marketing.channel_performance": "date", "quality.loss_hourly": "hour::date",
    "quality.loss_daily": "date", "quality.message_gaps": "date", "quality.bot_impact": "date",
}  # fmt: skip
"""Tables that say it, and their day."""
SEALED = "2026-01-28"
"""The first day that is not sealed, 32 days before the last."""


@pytest.mark.prove
def test_a_sealed_month_stays_as_it_was(tmp_path: Path) -> None:
    house = House(tmp_path)
    home, inbox = tmp_path / "home", tmp_path / "inbox"
    folders = ["--inbox", inbox, "--home", home]
    etl("simulate", "--out", inbox, "--messages", "15000", "--days", "60", "--start", "2026-01-01")
    etl("run", *folders)
    before, told = tables(home, BOOKS, MARK), len(asked(home, "from quality.restatements"))

    assert "of them go with the next run" in etl("status", "--home", home, **KEPT)
    assert "bytes freed" in etl("run", *folders, **KEPT)
    assert not list((home / "lake" / "raw").rglob("*=2026-01-1*/*.parquet"))
    refused = f"from quality.quarantine where received_at < '{SEALED}' group by all"
    narrow = "payload is null or contains(payload, 'experiment_exposure')"
    assert asked(home, f"select {narrow} {refused}") == [(True,)], "what was refused stays, and no payload"
    assert differing(before, tables(home, BOOKS, MARK)) == []
    assert asked(home, "select min(date)::varchar, max(date) < date '2026-01-29' from quality.sealed_days") == [
        ("2026-01-01", True)
    ]
    for mart, day in MARKED.items():
        marks = asked(home, f"select distinct {day} < '{SEALED}'::date, {MARK} from {mart} order by 1")
        assert marks == [(False, False), (True, True)]
    assert asked(home, f"select date from executive.kpi_monthly where {MARK}") == []
    said = etl("query", "sessions", "--by", "date", "--csv", "--home", home)
    assert [line.rpartition(",")[2] for line in said.splitlines() if line.startswith("2026-01-2")][-3:] == [
        "True", "False", "False",
    ]  # fmt: skip
    assert "every file is what was written" in etl("verify", "--deep", "--home", home, **KEPT)

    assert "every table is equal to before" in etl("rebuild", "--home", home, **KEPT)
    assert differing(before, tables(home, BOOKS, MARK)) == []

    house.put("events/late.jsonl", each(events("10:00 /late", "10:05 order", visitor="late", day="2026-01-10")))
    etl("run", *folders, **KEPT)
    assert differing(before, tables(home, BOOKS, MARK)) == []
    late = "where source_file = 'events/late.jsonl'"
    assert asked(home, f"select reason, count(*) from quality.quarantine {late} group by 1") == [("sealed", 2)]
    assert asked(home, f"select accepted, quarantined, balance from quality.ledger {late}") == [(0, 2, 0)]
    assert len(asked(home, "from quality.restatements")) == told

    etl("backup", tmp_path / "backup", "--home", home, **KEPT)
    said = etl("restore", tmp_path / "backup", "--home", tmp_path / "restored", **KEPT)
    assert "every table is equal to the last publication" in said

    buyers = "from core.sessions where session_date < date '2026-01-20' and order_count > 0 and not is_bot"
    ((visitor,),) = asked(home, f"select visitor_id {buyers} order by 1 limit 1")
    of_day = "select session_id from core.sessions where visitor_id <> '{0}' and session_date < date '{1}' order by 1"
    others = asked(home, of_day.format(visitor, SEALED))
    said = etl("erase", "--visitor", str(visitor), *folders, **KEPT)
    assert "nothing is left" in said
    assert asked(home, f"from core.sessions where visitor_id = '{visitor}'") == []
    assert asked(home, of_day.format(visitor, SEALED)) == others
    assert asked(home, "select sum(abs(balance)) from quality.ledger") == [(0,)]
    assert json.loads((home / "history" / "seals.json").read_text())["seals"][-1]["keep_days"] == 32
