"""Loss: how much of reality was measured, by two witnesses and by the web server's log."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np
import pytest
from builders.quality import START, Models, Row, compare_access, counts, hit, page_view, served, viewed

TRUE_PAGES = 100_000
RATES = (0.0, 0.001, 0.01, 0.05, 0.2)
PIXEL_LOSS = 0.01
LEAST_COVERAGE, MOST_COVERAGE, MOST_BIAS = 0.92, 0.98, 0.001


def witnessed(seeds: int, rate: float, name: str) -> list[Row]:
    """Make days of 100,000 page views, of each an hour's counts, lost by tracker and pixel independently."""
    rng = np.random.default_rng(int(rate * 10_000) + 1)
    shares = [(1 - rate) * (1 - PIXEL_LOSS), rate * (1 - PIXEL_LOSS), (1 - rate) * PIXEL_LOSS, rate * PIXEL_LOSS]
    hours = rng.multinomial(TRUE_PAGES, [1 / 24] * 24, size=seeds)
    rows = []
    for seed, views in enumerate(hours):
        for hour, (both, pixel, alone, _) in enumerate(rng.multinomial(views, shares)):
            rows.append(counts(f"{name}{seed}", hour, both, pixel, alone))
    return rows


def judge_intervals(models: Models, seeds: int) -> None:
    """Measure coverage of the interval and bias of the loss over many days whose truth is known."""
    for rate in RATES:
        models.fill("loss_hourly", witnessed(seeds, rate, "day"))
        models.make("loss_daily")
        ((covered, bias, days, low),) = models.query(f"""
            select
                avg(cast({TRUE_PAGES} between low - 1e-6 and high + 1e-6 as integer)),
                avg(event_loss_rate) - {rate}, count(*), min(dependent_low)
            from build.quality.loss_daily
        """)
        print(
            f"loss {rate:6.1%}: {covered:.1%} of {days} days hold the truth, bias {bias * 100:+.4f} percentage points"
        )
        assert days == seeds
        assert abs(bias) <= MOST_BIAS
        assert low <= TRUE_PAGES
        # Of 200 days 95 in 100 give or take three; where nothing is lost the estimate is the truth.
        margin = 3 * (0.05 * 0.95 / seeds) ** 0.5 if seeds < 1000 else 0
        assert covered >= LEAST_COVERAGE - max(margin - 0.03, 0)
        assert rate < 0.01 or covered <= MOST_COVERAGE + max(margin - 0.03, 0)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty(models: Models) -> None:
    judge_intervals(models, 40)


@pytest.mark.prove
def test_the_interval_holds_the_truth_over_a_thousand_days(models: Models) -> None:
    judge_intervals(models, 1000)


@pytest.mark.parametrize("blocked", [0.05, 0.15, 0.3])
def test_what_one_blocker_hides_from_both_lies_within_the_bound(models: Models, blocked: float) -> None:
    """GIVEN views that neither witness can see THEN the plain interval misses them, and the bound holds them."""
    seen = witnessed(20, 0.02, "day")
    models.fill("loss_hourly", seen)
    models.make("loss_daily")
    truth = TRUE_PAGES / (1 - blocked)
    rows = models.query("select low, high, dependent_low, dependent_high from build.quality.loss_daily")
    assert all(high < truth for _, high, _, _ in rows)
    plain, least, most = (max(row[1] for row in rows), min(row[2] for row in rows), min(row[3] for row in rows))
    print(f"{blocked:.0%} hidden: interval to {plain / truth:.1%}, bound {least / truth:.1%} to {most / truth:.1%}")
    held = [dependent_low <= truth <= dependent_high for _, _, dependent_low, dependent_high in rows]
    # At the bound itself the truth is its edge, which the interval of the visible views passes 39 times in 40.
    assert sum(held) >= 18


def witness(models: Models, views: list[Row], hits: list[Row], sessions: Iterable[Row] = ()) -> None:
    """Run the loss models over these page views, hits and sessions."""
    models.fill("int_page_views_numbered", views)
    models.fill("stg_lake__pixel_hits", hits)
    models.fill("int_sessions_aggregated", list(sessions))
    models.fill("int_pages_sourced", [])
    models.make("int_page_hits_deduplicated", "int_pages_witnessed", "loss_hourly", "loss_daily", "loss_by_dimension")


def test_a_browser_that_loses_events_stands_out_by_its_name(models: Models) -> None:
    """GIVEN one browser and one tracker version that lose a quarter THEN both dimensions say so."""
    views = [
        page_view(number, 10, browser="Safari" if number % 4 == 0 else "Firefox",
                  tracker="bh/2" if number % 4 == 0 else "bh/1")
        for number in range(4000)
    ]  # fmt: skip
    arrived = [view for number, view in enumerate(views) if number % 16]
    witness(models, arrived, [hit(view) for view in views])
    rows = models.query("""
        select dimension_value, pixel_hits, only_pixel from build.quality.loss_by_dimension
        where dimension = 'browser' order by 1
    """)
    assert rows == [("Firefox", 3000, 0), ("Safari", 1000, 250)]
    assert models.query("select status, only_pixel from build.quality.loss_daily") == [("error", 250)]


def test_an_hour_without_events_is_that_hours_loss(models: Models) -> None:
    views = [page_view(number, number % 24) for number in range(2400)]
    witness(models, [view for view in views if view["viewed_at"].hour != 7], [hit(view) for view in views])
    found = models.query("""
        select extract(hour from hour), status from build.quality.loss_hourly where status <> 'ok'
    """)
    assert found == [(7, "error")]


def test_a_page_lies_where_its_earliest_hit_says(models: Models) -> None:
    """GIVEN a hit of another platform than its event THEN the hit's counts, once."""
    view = page_view(1, 10)
    witness(models, [view], [hit(view, platform="mobile_web"), hit(view, hit_at=START + timedelta(hours=11))])
    rows = models.query("select platform, pixel_hits, event_page_views, matched from build.quality.loss_hourly")
    assert rows == [("mobile_web", 1, 1, 1)]
    assert models.query("select is_platform_disputed from build.intermediate.int_pages_witnessed") == [(True,)]


HOURS = 24


def seen(models: Models, *, views: Sequence[float], hits: Sequence[float]) -> list[tuple[float, str]]:
    """Say of one page's views and hits, each so many hours after the first of March, what is seen when and by whom."""
    page = [page_view(number, at, page_id="p") for number, at in enumerate(views)]
    found = [hit(page_view(0, 0, page_id="p"), hit_at=START + timedelta(hours=at)) for at in hits]
    witness(models, page, found)
    rows = models.query("""
        select seen_at, is_seen_by_pixel, is_seen_by_event from build.intermediate.int_pages_witnessed order by all
    """)
    by = {(True, True): "both", (True, False): "pixel", (False, True): "event"}
    return [((at - START) / timedelta(hours=1), by[pixel, event]) for at, pixel, event in rows]


@pytest.mark.parametrize(
    ("hits", "counted"),
    [
        ([0, 30 * HOURS], [0]),
        ([0, 30 * HOURS + 1], [0, 30 * HOURS + 1]),
        # A hit that does not count keeps the next from counting all the same.
        ([0, 20 * HOURS, 40 * HOURS], [0]),
        ([0, 20 * HOURS, 51 * HOURS], [0, 51 * HOURS]),
    ],
)
def test_a_page_hit_again_after_thirty_days_is_hit_anew(
    models: Models, hits: list[float], counted: list[float]
) -> None:
    """GIVEN hits of one page THEN each counts that has no other, counted or not, in the thirty days before."""
    assert seen(models, views=[], hits=hits) == [(at, "pixel") for at in counted]
    assert models.query("select sum(pixel_hits) from build.quality.loss_daily") == [(len(counted),)]


@pytest.mark.parametrize("days", [2, -2])
def test_a_hit_and_a_view_more_than_two_days_apart_are_two_pages(models: Models, days: int) -> None:
    """GIVEN a hit at the edge of two days before or after its view THEN they are one page, and past it two."""
    edge = 100 + days * HOURS
    assert seen(models, views=[100], hits=[edge]) == [(edge, "both")]
    past = edge + (1 if days > 0 else -1)
    assert seen(models, views=[100], hits=[past]) == sorted([(100, "event"), (past, "pixel")])


def test_each_run_of_hits_has_its_own_view(models: Models) -> None:
    """GIVEN a page seen by both in March and again in May THEN each hit pairs with the view beside it."""
    may = 61 * HOURS
    assert seen(models, views=[0, may], hits=[1, 2, may + 1, may + 2]) == [(1, "both"), (may + 1, "both")]
    assert seen(models, views=[0, may], hits=[may + 1]) == [(0, "event"), (may + 1, "both")]
    assert seen(models, views=[0], hits=[1, may + 1]) == [(1, "both"), (may + 1, "pixel")]


def test_of_several_views_of_a_page_the_nearest_is_the_hits(models: Models) -> None:
    """GIVEN three visitors with one page id and one hit THEN one view is seen by both, and none is left out."""
    assert seen(models, views=[0, 5, 9], hits=[6]) == [(0, "event"), (6, "both"), (9, "event")]
    assert models.query("select event_id from build.intermediate.int_pages_witnessed where is_seen_by_pixel") == [
        ("e1",)
    ]
    # As near as another: the earlier one's.
    assert seen(models, views=[4, 6], hits=[5]) == [(5, "both"), (6, "event")]


@pytest.mark.parametrize(
    ("at", "is_bot"),
    [(23.9 - 24, False), (0, True), (23.9, True), (25, True), (47.9, True), (48, False)],
)
def test_a_hit_of_a_bots_visitor_is_a_bots_on_each_day_its_session_touches(
    models: Models, at: float, is_bot: bool
) -> None:
    """GIVEN a bot's session from 23:00 to 01:00 THEN its visitor's hits of both days are a bot's, others are not."""
    night = {"visitor_id": "v1", "is_bot": True, "session_date": START.date(),
             "started_at": START + timedelta(hours=23), "ended_at": START + timedelta(hours=25)}  # fmt: skip
    evening = night | {"started_at": START + timedelta(hours=20), "ended_at": START + timedelta(hours=21)}
    human = night | {"is_bot": False, "ended_at": START + timedelta(days=9)}
    witness(models, [], [hit(page_view(1, at))], [night, evening, human])
    assert models.query("select is_bot from build.intermediate.int_pages_witnessed") == [(is_bot,)]


def test_a_pair_is_what_its_events_session_is(models: Models) -> None:
    """GIVEN a person's event whose hit says bot, and a bot's whose hit says none THEN the event's session decides."""
    person, bot = page_view(1, 10), page_view(2, 10, is_bot=True)
    touched = {"visitor_id": "v1", "is_bot": True, "started_at": START, "ended_at": START + timedelta(days=1)}
    witness(models, [person, bot], [hit(person, ua_bot_reason="declared"), hit(bot)], [touched])
    rows = models.query("select page_id, is_bot from build.intermediate.int_pages_witnessed order by 1")
    assert rows == [("p1", False), ("p2", True)]
    assert models.query("select pixel_hits, matched from build.quality.loss_hourly") == [(1, 1)]


def test_only_pages_that_carry_the_pixel_are_compared(models: Models) -> None:
    """GIVEN a view and a hit of an app, and a page of the web whose hit says app THEN none is in the figures."""
    views = [page_view(1, 10, platform="ios"), page_view(2, 10), page_view(3, 10, platform="backend")]
    witness(models, views, [hit(views[0]), hit(views[1], platform="ios"), hit(views[2], platform="mobile_web")])
    assert models.query("select platform, matched from build.quality.loss_hourly") == [("mobile_web", 1)]


def test_a_path_without_a_tracker_stands_out(models: Models) -> None:
    """GIVEN three requests of which two were reported, a path that never is, and a bot THEN each is counted so."""
    rows = [*(served(number, "/a") for number in range(3)), served(5, "/old"), served(6, "/a", ip="203.0.113.9")]
    found = compare_access(models, *rows, viewed(1, "/a"), viewed(2, "/a"), bots=["6-True"])
    assert found == [("/a", 3, 1), ("/old", 1, 1)]


def test_more_reports_than_requests_lose_nothing_and_one_side_alone_says_nothing(models: Models) -> None:
    assert compare_access(models, served(1, "/a"), *(viewed(number, "/a") for number in range(4))) == [("/a", 1, 0)]
    assert compare_access(models, served(1, "/a")) == []
