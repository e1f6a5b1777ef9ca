"""Two months of which the events of the first go: what is counted stands, whoever comes late, is excluded or erased."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from builders import House, each, events
from builders.command import etl
from builders.tables import asked, differing, tables

OPEN = {
    "BLOODHOUND_MAX_LATENESS_DAYS": "5", "BLOODHOUND_STITCH_DAYS": "5", "BLOODHOUND_ATTRIBUTION_WINDOW_DAYS": "7",
}  # fmt: skip
KEPT = OPEN | {"BLOODHOUND_KEEP_DAYS": '{"raw": 7, "events": 25}'}
FIRST = "2026-02-04"
"""The first day whose events stay: 25 days before the last."""
ROWS = {
    "core.events", "core.page_views", "core.page_view_counts", "core.clicks", "core.email_opens", "core.order_events",
    "core.experiment_exposures", "core.feature_uses", "core.impressions",
}  # fmt: skip
"""Tables of events and page views, and what stands in their place."""
BOOKS = {"quality.ledger", "quality.sealed_days", "quality.restatements", "quality.quarantine", "quality.stage_balance",
         "quality.checks", "quality.incidents", "quality.erasures"}  # fmt: skip
"""Tables that speak of files and publications; and the check whether the pages that pages come from are known."""
BY_PAGE = "traffic.pages_daily"
"""Counts by day of what names pages: exclusions do not reach those of gone days."""
MARK = "is_sealed"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inbox = tmp_path_factory.mktemp("two-months") / "inbox"
    etl("simulate", "--out", inbox, "--messages", "15000", "--days", "60", "--start", "2026-01-01")
    return inbox


@pytest.fixture(scope="module")
def whole(inbox: Path) -> Path:
    """A home that keeps all."""
    home = inbox.parent / "whole"
    etl("run", "--inbox", inbox, "--home", home, **OPEN)
    return home


@pytest.fixture
def backup(gone: Path, tmp_path: Path) -> Path:
    """A home of its own, of which the events of the first month have gone."""
    etl("restore", gone, "--home", tmp_path / "home", **KEPT)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def gone(inbox: Path, whole: Path) -> Path:
    """A backup of such a home; on the way there, what is said of it, and that a rebuild changes nothing."""
    home = inbox.parent / "gone"
    folders = ["--inbox", inbox, "--home", home]
    etl("run", *folders, **OPEN)
    etl("run", *folders, **KEPT)
    said = etl("status", "--home", home, **KEPT)
    assert "messages and hits" in said
    assert "of them go with the next run" in said.split("messages and hits")[1].split("\n")[0]
    etl("run", *folders, **KEPT)
    assert "nothing new" in etl("run", *folders, **KEPT)
    assert differing(figures(whole), figures(home)) == []
    assert "every file is what was written" in etl("verify", "--deep", "--home", home, "--inbox", inbox, **KEPT)
    assert "every table is equal to before" in etl("rebuild", "--home", home, **KEPT)
    assert differing(figures(whole), figures(home)) == []
    etl("backup", inbox.parent / "backup", "--home", home, **KEPT)
    return inbox.parent / "backup"


def figures(home: Path) -> dict[str, list[str]]:
    return tables(home, ROWS | BOOKS, MARK)


def rows_that_stay(home: Path) -> list[list[str]]:
    """The events and page views of the days whose events stay."""
    asks = (f"core.events where event_date >= '{FIRST}'", f"core.page_views where session_date >= '{FIRST}'")
    return [sorted(map(str, asked(home, f"from {one}"))) for one in asks]


@pytest.mark.prove
def test_figures_and_what_stays_are_those_of_a_home_that_keeps_all(whole: Path, backup: Path) -> None:
    assert differing(figures(whole), figures(backup)) == []
    assert rows_that_stay(backup) == rows_that_stay(whole)
    assert asked(backup, "select min(event_date)::varchar from core.events") == [(FIRST,)]
    of_lake = {str(path.parent.name.partition("=")[2]) for path in backup.glob("lake/messages/*/*.parquet")}
    assert min(of_lake) == FIRST
    counted = asked(
        backup, "select has_events, min(date)::varchar, max(date)::varchar from quality.sealed_days group by 1"
    )
    assert sorted(counted) == [(False, "2026-01-01", "2026-02-03"), (True, FIRST, "2026-02-21")]
    assert len(asked(backup, "from quality.restatements where reason <> 'first'")) == 0


@pytest.mark.prove
def test_a_page_is_unknown_where_events_are_gone_and_not_nought(backup: Path) -> None:
    said = etl("query", "page_views", "--by", "date", "--where", "page=app.shop.example/", "--csv", "--home", backup)
    views = dict(line.split(",")[:2] for line in said.splitlines()[1:])
    assert {views[day] for day in views if day < FIRST} == {""}
    assert "" not in {views[day] for day in views if day >= FIRST}
    assert "Not known up to 2026-02-03" in etl("query", "page_views", "--by", "page", "--home", backup)


@pytest.mark.prove
def test_a_line_that_comes_late_is_quarantined_and_moves_nothing(
    inbox: Path, whole: Path, backup: Path, tmp_path: Path
) -> None:
    shutil.copytree(inbox, tmp_path / "inbox")
    house = House(tmp_path)
    house.put("events/late.jsonl", each(events("10:00 /late", "10:05 order", visitor="late", day="2026-01-10")))
    etl("run", "--inbox", tmp_path / "inbox", "--home", backup, **KEPT)
    assert differing(figures(whole), figures(backup)) == []
    late = "where source_file = 'events/late.jsonl'"
    assert asked(backup, f"select reason, count(*) from quality.quarantine {late} group by 1") == [("sealed", 2)]
    assert asked(backup, "select sum(abs(balance)) from quality.ledger") == [(0,)]


@pytest.mark.prove
def test_an_exclusion_reaches_sealed_days_and_is_taken_back(
    inbox: Path, whole: Path, backup: Path, tmp_path: Path
) -> None:
    of_day = "from core.sessions where session_date between '2026-01-02' and '2026-01-30' and not is_bot"
    ((visitor,),) = asked(whole, f"select visitor_id {of_day} and order_count > 0 order by 1 limit 1")
    ((user,),) = asked(whole, f"select user_id {of_day} and user_id is not null order by 1 desc limit 1")
    ((session,),) = asked(whole, f"select session_id {of_day} and page_view_count > 3 order by 1 desc limit 1")
    told = f"kind,value,from,to\nvisitor,{visitor},,\nuser,{user},,\nsession,{session},,\n"
    shutil.copytree(inbox, tmp_path / "inbox")
    shutil.copytree(whole, tmp_path / "whole")
    rules = tmp_path / "inbox" / "exclusions" / "late.csv"
    rules.parent.mkdir(exist_ok=True)
    rules.write_text(told)
    etl("run", "--inbox", tmp_path / "inbox", "--home", backup, **KEPT)
    etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "whole", **OPEN)
    assert differing(figures(tmp_path / "whole"), figures(backup)) == [BY_PAGE]
    ((excluded,),) = asked(backup, f"select count(*) {of_day} and is_excluded")
    assert excluded > 2
    rules.unlink()
    etl("run", "--inbox", tmp_path / "inbox", "--home", backup, **KEPT)
    assert differing(figures(whole), figures(backup)) == []


@pytest.mark.prove
def test_a_person_leaves_what_is_kept_of_sealed_days(inbox: Path, backup: Path) -> None:
    buyers = "from core.sessions where session_date < '2026-01-20' and order_count > 0 and not is_bot"
    ((visitor,),) = asked(backup, f"select visitor_id {buyers} order by 1 limit 1")
    others = "select session_id from core.sessions where visitor_id <> '{0}' order by 1"
    left, pages = asked(backup, others.format(visitor)), asked(backup, f"from {BY_PAGE} order by all")
    said = etl("erase", "--visitor", str(visitor), "--inbox", inbox, "--home", backup, **KEPT)
    assert "sessions of days whose events are gone" in said
    assert "nothing is left" in said
    assert asked(backup, f"from core.sessions where visitor_id = '{visitor}'") == []
    assert asked(backup, others.format(visitor)) == left
    assert asked(backup, f"from {BY_PAGE} order by all") == pages, "counts by day stay"
    assert asked(backup, "select sum(abs(balance)) from quality.ledger") == [(0,)]
    assert asked(backup, "from quality.checks where status = 'error'") == []
    assert "every table is equal to before" in etl("rebuild", "--home", backup, **KEPT)


@pytest.mark.prove
def test_days_that_go_one_after_the_other_leave_what_all_at_once_do(inbox: Path, whole: Path, tmp_path: Path) -> None:
    """GIVEN a home that is fed week by week WHEN events go each time THEN it ends like one that keeps all."""
    files = [path for path in inbox.rglob("*") if path.is_file()]
    for until in ("2026-02-09", "2026-02-16", "2026-02-23", "2026-03-01"):
        for path in files:
            named = next(part for part in str(path.relative_to(inbox)).replace("/", " ").split() if "2026" in part)
            day = named[named.index("2026") :][:10]
            assert date.fromisoformat(day)
            target = tmp_path / "inbox" / path.relative_to(inbox)
            if day <= until and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        for _ in range(2):
            etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "home", **KEPT)
    etl("run", "--inbox", tmp_path / "inbox", "--home", tmp_path / "home", **KEPT)
    assert differing(figures(whole), figures(tmp_path / "home")) == []
    assert rows_that_stay(tmp_path / "home") == rows_that_stay(whole)
