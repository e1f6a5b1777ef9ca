"""What a publication writes anew, and what it leaves as it lies."""

import duckdb
import pytest
from builders import House, each, events

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.stages.build.workplace import workplace
from etl.stages.publish.days import BY_DAY, link_days, shown_path
from etl.tools.trace import trace
from etl.warehouse.page import definitions

PINGS = [f"10:00:{second} custom.page_ping #a-p0" for second in ("05", "15", "19.999", "25")]
SLOW_PINGS = [f"10:03:{second} custom.page_ping #s" for second in ("20", "50", "59")]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, dict[str, int], dict[str, int]]:
    """Publish three days; then a login of the third day's visitor, who was there on the second; list inodes of both."""
    house = House(tmp_path_factory.mktemp("published"), {"heartbeats": {"slow": {"every": 30, "first": 20}}})
    seen = []
    for name, messages in {
        "first": [
            *events("10:00 /a", "10:01 /b", visitor="a", day="2026-03-01"),
            *events(*PINGS, "10:02 click #a-p1", visitor="a", first=2, day="2026-03-01", data={"click_id": "c"}),
            *events("10:03 /s #s", *SLOW_PINGS, visitor="a", first=9, day="2026-03-01", app_id="slow"),
            *events("10:00 /a", "10:01 /b", visitor="b", day="2026-03-02"),
        ],
        "late": events("10:00 /c", visitor="b", first=2, day="2026-03-03", user_id="u1"),
    }.items():
        house.put(f"events/{name}.jsonl", each(messages))
        house.digest()
        pipeline.build(house.settings)
        folders = [shown_path(Lake(house.settings), *mart) for mart in BY_DAY]
        files = [path for folder in folders for path in folder.glob("*=*/*.parquet")]
        seen.append({path.relative_to(house.settings.lake).as_posix(): path.stat().st_ino for path in files})
    return house, seen[0], seen[1]


def test_days_that_did_not_change_are_not_written_again(
    published: tuple[House, dict[str, int], dict[str, int]],
) -> None:
    _, before, after = published
    untouched = {path for path in after if "2026-03-01" in path}
    assert {path.split("/")[-3] for path in untouched} == {"page_views", "sessions", "touchpoints"}
    assert all(after[path] == before[path] for path in untouched)


def test_a_later_login_reaches_the_days_before(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    house, before, after = published
    changed = "page_views/session_date=2026-03-02/page_views.parquet"
    assert before[changed] != after[changed]
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        persons = con.execute("select session_date::varchar, person_id from core.page_views order by 1").fetchall()
    assert persons == [("2026-03-01", "a")] * 3 + [("2026-03-02", "u1")] * 2 + [("2026-03-03", "u1")]


def test_pings_tell_how_long_somebody_was_active(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    """Three different tens of seconds: two whole ones, and five seconds for the first; or two halves of a minute."""
    house, _, _ = published
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        rows = con.execute("select page_id, engaged_seconds from core.page_views where visitor_id = 'a' order by 1")
        assert rows.fetchall() == [("a-p0", 25), ("a-p1", None), ("s", 50)]


def test_events_are_published_as_dbt_defines_them(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    house, _, _ = published
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{workplace(house.settings).database}' as built (read_only)")
        con.execute(f"attach '{house.settings.warehouse}' as published (read_only)")
        built, shown = (
            {column: kind.lower() for column, kind, *_ in con.execute(f"describe {where}.core.events").fetchall()}
            for where in ("built", "published")
        )
        described = definitions.described()["core.events"]["columns"]
        assert list(built) == list(shown) == list(described)
        assert built == shown == {name: column["data_type"] for name, column in described.items()}
        assert all(column["description"] for column in described.values())
        rows = [
            con.execute(f"select * from {where}.core.events order by all").fetchall()
            for where in ("built", "published")
        ]
        assert rows[0] == rows[1] != []


def test_schema_has_a_view_with_its_fields(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    house, _, _ = published
    with duckdb.connect(str(house.settings.warehouse), read_only=True) as con:
        assert con.execute("select page_id, click_id, target from core.clicks").fetchall() == [("a-p1", "c", None)]
        described = con.execute("select comment from duckdb_columns() where column_name = 'click_id'").fetchall()
    assert described == [("Id of this click; the page it leads to names it as its referring click.",)]


def test_trace_ends_at_the_marts(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    told = trace(published[0].settings, "a-0")
    assert told[told.index("marts      core.events") :] == [
        "marts      core.events",
        "           core.page_views: page 1 of person a",
        "           core.sessions: visit 1 of person a, channel Direct",
        "           executive.kpi_daily: counted on 2026-03-01",
    ]


def test_marts_kept_by_day_hold_what_dbt_built(published: tuple[House, dict[str, int], dict[str, int]]) -> None:
    house, _, _ = published
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach '{workplace(house.settings).database}' as built (read_only)")
        con.execute(f"attach '{house.settings.warehouse}' as published (read_only)")
        for (schema, name), column in BY_DAY.items():
            described = [
                con.execute(f"select column_name, column_type from (describe {where}.{schema}.{name})").fetchall()
                for where in ("built", "published")
            ]
            assert described[0] == described[1]
            rows = [
                con.execute(f"select * from {where}.{schema}.{name} order by all").fetchall()
                for where in ("built", "published")
            ]
            assert rows[0] == rows[1] != []
            folder = shown_path(Lake(house.settings), schema, name)
            days = con.execute(
                f"select distinct {column} from read_parquet('{folder}/*/*.parquet', hive_partitioning = true)"
            ).fetchall()
            assert len(days) == len(
                {row for row in con.execute(f"select {column} from built.{schema}.{name}").fetchall()}
            )


def test_a_day_of_several_files_has_as_many_names(house: House) -> None:
    lake = Lake(house.settings)
    day = lake.path("versions", "events", "event_date=2026-03-01")
    day.mkdir(parents=True)
    paths = [day / "a.parquet", day / "b.parquet"]
    for path in paths:
        path.write_text(path.stem)
    link_days(lake, "core", "events", paths)
    shown = lake.path("events", "event_date=2026-03-01")
    assert [(path.name, path.read_text()) for path in sorted(shown.iterdir())] == [
        ("events-1.parquet", "b"), ("events.parquet", "a"),
    ]  # fmt: skip
    link_days(lake, "core", "events", paths[1:])
    assert [(path.name, path.read_text()) for path in shown.iterdir()] == [("events.parquet", "b")]
