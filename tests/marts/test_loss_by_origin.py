"""Loss where it matters: which pages, campaigns and channels the tracker has not seen, by the pixel's own word."""

from typing import Any

import pytest
from builders.warehouse import Row, Warehouse, event, hits, moment, visit

SPRING = {"utm_source": "news", "utm_medium": "email", "utm_campaign": "spring"}
LANDED = {f"landing_{name}": value for name, value in SPRING.items()}


def lost(visitor: str | None, at: str, path: str | None = "/a", **tags: Any) -> Row:
    """Make a hit whose page's event never came; `path` None: it does not name its page."""
    page = event(event_id=f"{visitor}-{at}", page_id=f"{visitor}-{at}", visitor_id=visitor, event_at=moment(at))
    (found,) = hits(page)
    if path is not None:
        found |= {"page_url": f"https://shop.example{path}", "url_host": "shop.example", "url_path": path}
    return found | tags


# Ann comes by the campaign; a page of hers is lost, then one of the same campaign. Ben comes directly, once he has been
# lost on the campaign's page. Cid is seen by the pixel alone: twice, then another ad, then after a pause. Dan's browser
# says no page. Eve is anonymous to the pixel. A bot and what it loses count nowhere.
ANN = visit("ann", "2026-03-10 10:00", "/ /a", **LANDED)
BEN = visit("ben", "2026-03-10 10:00", "/b")
BOT = visit("bot", "2026-03-10 10:00", "/a", is_bot=True, bot_reason="declared", **LANDED)
LOST = [
    lost("ann", "2026-03-10 10:05", "/c"),
    lost("ann", "2026-03-10 10:06", "/", **SPRING),
    lost("ben", "2026-03-10 09:59", "/", **SPRING),
    lost("cid", "2026-03-10 11:00", "/", **SPRING),
    lost("cid", "2026-03-10 11:05", "/d"),
    lost("cid", "2026-03-10 11:06", "/ad", click_ids='{"gclid":"x"}'),
    lost("cid", "2026-03-10 11:07", "/d"),
    lost("cid", "2026-03-10 12:00", "/d"),
    lost("dan", "2026-03-10 11:00", None),
    lost(None, "2026-03-10 11:00", "/e", **SPRING),
    lost("bot", "2026-03-10 11:00", "/", **SPRING),
]  # fmt: skip


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Warehouse:
    warehouse.fill(events=[*ANN, *BEN, *BOT], pixel_hits=[*hits(*ANN, BEN[0], *BOT), *LOST])
    warehouse.build()
    return warehouse


def by(built: Warehouse, dimension: str) -> dict[str, tuple[int, int, int]]:
    """Say of each value of a dimension how many pages the pixel, the events and both saw."""
    return {
        value: tuple(figures)
        for value, *figures in built.query(f"""
            select dimension_value, pixel_hits, event_page_views, matched from quality.loss_by_dimension
            where dimension = '{dimension}'
        """)
    }


def test_campaigns_have_what_their_own_pages_lost(built: Warehouse) -> None:
    """GIVEN lost pages in a session and lost visits THEN the session, else the page's own tags, say whose they are."""
    assert by(built, "campaign") == {
        # Ann's two and her two lost, Ben's landing, Cid's first two, and nobody's.
        "spring": (8, 2, 2),
        # Ben's own visit came directly, Cid's ad says no campaign.
        "(none)": (3, 1, 1),
        # Cid after the pause, and Dan.
        "(unknown)": (2, 0, 0),
    }  # fmt: skip


def test_channels_follow_the_tags_and_nothing_is_guessed(built: Warehouse) -> None:
    assert by(built, "channel") == {
        "Email": (8, 2, 2), "Paid Search": (2, 0, 0), "Direct": (1, 1, 1), "(unknown)": (2, 0, 0),
    }  # fmt: skip


def test_a_landing_page_is_the_visits_first(built: Warehouse) -> None:
    assert by(built, "landing_page") == {
        "shop.example/": (7, 2, 2), "shop.example/b": (1, 1, 1), "shop.example/ad": (2, 0, 0),
        "shop.example/d": (1, 0, 0), "shop.example/e": (1, 0, 0), "(unknown)": (1, 0, 0),
    }  # fmt: skip


def test_a_campaign_says_how_blind_it_is(built: Warehouse) -> None:
    """GIVEN a campaign of one session THEN beside it stand the visits of which no session tells."""
    rows = built.query("""
        select source, sessions, lost_visits, blind_share, only_pixel, event_loss_rate
        from marketing.campaign_loss where lost_visits > 0 order by source nulls last
    """)
    assert rows == [
        ("google", 0, 1, 1.0, 2, 1.0),
        # Ben's, Cid's, and nobody's.
        ("news", 1, 3, 0.75, 6, 0.75),
        (None, 0, 2, 1.0, 2, 1.0),
    ]


def test_every_dimension_adds_up_to_the_loss_of_the_day(built: Warehouse) -> None:
    figures = "sum(pixel_hits), sum(event_page_views), sum(matched)"
    daily = built.query(f"select {figures} from quality.loss_daily")
    assert built.query(f"select distinct {figures} from quality.loss_by_dimension group by dimension") == daily
    assert built.query(f"select {figures} from marketing.campaign_loss") == daily


def test_pages_that_clients_make_up_are_others(warehouse: Warehouse) -> None:
    """GIVEN 501 pages of which one is seen twice THEN the 500 most seen stand by themselves, in the order of names."""
    made_up = [lost(f"v{number:03}", "2026-03-10 10:00", f"/{number:03}") for number in range(501)]
    warehouse.fill(pixel_hits=[*made_up, lost("again", "2026-03-10 10:00", "/500")])
    warehouse.run("+loss_by_dimension")
    found = by(warehouse, "landing_page")
    assert (len(found), found["shop.example/500"], found["(other)"]) == (501, (2, 0, 0), (1, 0, 0))
    assert "shop.example/499" not in found


def test_without_a_pixel_nobody_knows_how_blind_a_campaign_is(warehouse: Warehouse) -> None:
    warehouse.fill(events=ANN)
    warehouse.run("+campaign_loss")
    rows = warehouse.query("""
        select sessions, pixel_hits, lost_visits, blind_share, event_loss_rate, estimated_page_views
        from marketing.campaign_loss
    """)
    assert rows == [(1, 0, None, None, None, None)]
