"""Loss: how much of reality was measured, by two witnesses and by the web server's log."""

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


def witness(models: Models, views: list[Row], hits: list[Row]) -> None:
    """Run the loss models over these page views and hits."""
    models.fill("int_page_views_numbered", views)
    models.fill("stg_lake__pixel_hits", hits)
    models.fill("int_sessions_aggregated", [])
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


def test_a_path_without_a_tracker_stands_out(models: Models) -> None:
    """GIVEN three requests of which two were reported, a path that never is, and a bot THEN each is counted so."""
    rows = [*(served(number, "/a") for number in range(3)), served(5, "/old"), served(6, "/a", ip="203.0.113.9")]
    found = compare_access(models, *rows, viewed(1, "/a"), viewed(2, "/a"), bots=["6-True"])
    assert found == [("/a", 3, 1), ("/old", 1, 1)]


def test_more_reports_than_requests_lose_nothing_and_one_side_alone_says_nothing(models: Models) -> None:
    assert compare_access(models, served(1, "/a"), *(viewed(number, "/a") for number in range(4))) == [("/a", 1, 0)]
    assert compare_access(models, served(1, "/a")) == []
