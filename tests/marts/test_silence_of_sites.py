"""Silence of kinds of site: which are quiet by nature and raise no alarm, which outages are found, by twenty seeds."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

import numpy as np
import pytest
from builders.quality import START, Models, Row

SEEDS = 20
DAY = 24
WEEKS = 6
HOURS = WEEKS * 7 * DAY
# The first of March 2026 is a Sunday: sites begin on the Monday after it.
MONDAY = START + timedelta(days=1)

Rate = Callable[[np.ndarray], np.ndarray]


def all_day(visits: float) -> Rate:
    """So many visits a day, more in the evening than at night."""
    return lambda hour: visits / DAY * (1 + 0.7 * np.sin((hour % DAY - 10) / DAY * 2 * np.pi))


def on_weekdays(visits: float, first: int = 0, last: int = DAY) -> Rate:
    """So many visits on each weekday between two hours, none at weekends."""

    def rate(hour: np.ndarray) -> np.ndarray:
        is_open = (hour // DAY % 7 < 5) & (hour % DAY >= first) & (hour % DAY < last)
        return np.where(is_open, visits / (last - first), 0.0)

    return rate


def only(rate: Rate, *days: int) -> Rate:
    """Some days of a site, and never else."""
    return lambda hour: np.where(np.isin(hour // DAY, days), rate(hour), 0.0)


def closed(rate: Rate, *hours: int) -> Rate:
    """A site but for these hours."""
    return lambda hour: np.where(np.isin(hour, hours), 0.0, rate(hour))


def day(number: int, first: int = 0, last: int = DAY) -> range:
    """Some hours of a day, counted from nought."""
    return range(number * DAY + first, number * DAY + last)


def promoted(rate: Rate) -> Rate:
    """A site with ten times its visits on each Tuesday."""
    return lambda hour: rate(hour) * np.where(hour // DAY % 7 == 1, 10, 1)


def visits(rate: Rate, seed: int, hours: int = HOURS) -> list[Row]:
    """Draw the visits of a site, by hour; each seed is an app of its own."""
    number = np.arange(hours)
    counts = np.random.default_rng(seed).poisson(rate(number))
    return [
        {
            "hour": MONDAY + timedelta(hours=int(hour)), "event_date": (MONDAY + timedelta(hours=int(hour))).date(),
            "app_id": f"site{seed:02}", "platform": "desktop_web", "is_access": False,
            "message_count": 5 * int(count), "visit_count": int(count),
        }
        for hour, count in zip(number[counts > 0], counts[counts > 0], strict=True)
    ]  # fmt: skip


def worst(models: Models, rate: Rate, holidays: Iterable[date] = (), hits: Iterable[Row] = ()) -> list[dict[int, str]]:
    """Run silence over a site of twenty seeds; say of each the worst status of its days that were judged."""
    models.fill("stg_lake__events", [])
    models.fill("int_messages_hourly", [row for seed in range(SEEDS) for row in visits(rate, seed)])
    models.fill("stg_lake__holidays", [{"holiday_date": when, "app_id": None} for when in holidays])
    models.fill("stg_lake__pixel_hits", list(hits))
    models.fill("int_lake_now", [{"latest_received_at": MONDAY + timedelta(hours=HOURS)}])
    models.make("int_hours_with_hits", "silence")
    rows = models.query(f"""
        select app_id, cast(hour as date) - date '{MONDAY.date()}' as day,
            max(case status when 'error' then 3 when 'warn' then 2 when 'ok' then 1 else 0 end)
        from build.quality.silence group by all
    """)
    names = ("unknown", "ok", "warn", "error")
    found: dict[str, dict[int, str]] = {f"site{seed:02}": {} for seed in range(SEEDS)}
    for app, number, severity in rows:
        found[app][number] = names[severity]
    return list(found.values())


def seeds_with(found: list[dict[int, str]], *statuses: str, days: Iterable[int] | None = None) -> int:
    """Count the seeds that have a day of these statuses."""
    wanted = None if days is None else set(days)
    return sum(
        any(status in statuses and (wanted is None or number in wanted) for number, status in site.items())
        for site in found
    )


QUIET = {
    "forty visits a weekday in office hours": on_weekdays(40, 9, 17),
    "forty visits a weekday round the clock": on_weekdays(40),
    "a promotion each Tuesday": promoted(all_day(30)),
    "a promotion each Tuesday and nothing else": only(all_day(300), *range(1, WEEKS * 7, 7)),
    "two days of samples a fortnight apart": only(all_day(300), 0, 14),
    "a source heard once": only(all_day(300), 3),
    "sixty visits on six days": only(all_day(10), 0, 3, 4, 17, 25, 40),
    "a blog of twenty visits a day": all_day(20),
    "a shop of two hundred": all_day(200),
    "a site of fifty thousand": all_day(50_000),
}


@pytest.mark.parametrize("kind", QUIET)
def test_site_that_is_quiet_by_nature_raises_no_error(models: Models, kind: str) -> None:
    assert seeds_with(worst(models, QUIET[kind]), "error") == 0


@pytest.mark.parametrize("kind", ["a blog of twenty visits a day", "a shop of two hundred"])
def test_site_without_outage_hardly_ever_warns(models: Models, kind: str) -> None:
    assert seeds_with(worst(models, QUIET[kind]), "warn") <= SEEDS - 18


@pytest.mark.parametrize("kind", ["two days of samples a fortnight apart", "a source heard once"])
def test_what_is_heard_on_few_days_is_unknown(models: Models, kind: str) -> None:
    assert {status for site in worst(models, QUIET[kind]) for status in site.values()} == {"unknown"}


FOUND = {
    "six hours of two hundred a day in week 4": (closed(all_day(200), *day(24, 10, 16)), (24,)),
    "six hours of two hundred a day on day 11": (closed(all_day(200), *day(10, 10, 16)), (10,)),
    "three days of twenty a day": (closed(all_day(20), *day(24), *day(25), *day(26)), (24, 25, 26)),
    "an office closed on a Wednesday of week 2": (closed(on_weekdays(40, 9, 17), *day(9)), (9,)),
    "an office closed on a Wednesday of week 5": (closed(on_weekdays(40, 9, 17), *day(30)), (30,)),
    "a weekday site closed on a Wednesday of week 5": (closed(on_weekdays(40), *day(30)), (30, 31)),
    "an hour of fifty thousand a day": (closed(all_day(50_000), *day(20, 12, 13)), (20,)),
}


@pytest.mark.parametrize("kind", FOUND)
def test_outage_is_an_error_of_its_day(models: Models, kind: str) -> None:
    rate, days = FOUND[kind]
    found = worst(models, rate)
    assert seeds_with(found, "error", days=days) == SEEDS
    assert seeds_with(found, "error", days=range(days[0])) == 0


def test_weekday_site_closed_in_week_two_is_found_in_all_but_chance(models: Models) -> None:
    """GIVEN one week of forty visits a day to go by THEN the day that is missing shows in nine of ten."""
    assert seeds_with(worst(models, closed(on_weekdays(40), *day(9))), "error", days=(9, 10)) >= SEEDS - 2


def test_outage_in_the_first_week_warns(models: Models) -> None:
    found = worst(models, closed(all_day(200), *day(5, 8, 20)))
    assert seeds_with(found, "warn", days=(5,)) == SEEDS
    assert seeds_with(found, "error") == 0


def test_holiday_is_an_error_until_the_calendar_names_it(models: Models) -> None:
    rate = closed(on_weekdays(40, 9, 17), *day(30))
    assert seeds_with(worst(models, rate), "error", days=(30,)) == SEEDS
    named = MONDAY.date() + timedelta(30)
    found = worst(models, rate, holidays=[named])
    assert (seeds_with(found, "error"), seeds_with(found, "warn", days=(29, 30, 31))) == (0, 0)


def test_three_days_and_then_a_month_off_are_unknown(models: Models) -> None:
    found = worst(models, only(all_day(200), 0, 1, 2))
    assert {status for site in found for status in site.values()} == {"unknown"}


@pytest.mark.parametrize("heard", [True, False])
def test_hour_without_tracker_and_pixel_is_of_all_sources(models: Models, heard: bool) -> None:
    """GIVEN an hour of a hundred expected visits without one WHEN the pixel is silent too THEN the table says so."""
    hits = [{"hit_at": MONDAY + timedelta(hours=hour, minutes=5)} for hour in range(HOURS) if hour != 492 or heard]
    found = worst(models, closed(all_day(2_400), 492), hits=hits)
    assert seeds_with(found, "error", days=(20,)) == SEEDS
    ((of_all,),) = models.query("""
        select count(distinct app_id) from build.quality.silence where status = 'error' and is_all_silent
    """)
    assert of_all == (0 if heard else SEEDS)
