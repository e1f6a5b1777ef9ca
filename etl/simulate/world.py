"""The world the visitors live in: countries, campaigns, sites and what is on their pages."""

from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np

from etl.simulate.text import Floats

PLATFORMS = ("desktop_web", "mobile_web", "ios", "android", "email", "backend")
DESKTOP, MOBILE, IOS, ANDROID, EMAIL, BACKEND = range(6)

APPS = ("shop", "outlet")
OUTLET_SHARE = 0.12

PAGE_TYPES = ("home", "search", "deal", "cart", "checkout", "confirmation")
HOME, SEARCH, DEAL, CART, CHECKOUT, CONFIRMATION = range(6)

NAVIGATIONS = ("navigate", "reload", "back_forward", "ajax", "screen")
NAVIGATE, RELOAD, BACK_FORWARD, AJAX, SCREEN = range(5)

COLLECTORS = ("t1.shop.example", "t2.shop.example")

TRACKERS = {
    DESKTOP: (("bh-js/3.1.0", 0.68), ("bh-js/3.0.2", 0.22), ("bh-js/3.1.1-rc1", 0.10)),
    MOBILE: (("bh-js/3.1.0", 0.66), ("bh-js/3.0.2", 0.26), ("bh-js/3.1.1-rc1", 0.08)),
    IOS: (("bh-ios/2.4.0", 0.75), ("bh-ios/2.3.1", 0.25)),
    ANDROID: (("bh-android/2.4.1", 0.7), ("bh-android/2.2.0", 0.3)),
    EMAIL: (("bh-mail/1.0", 1.0),),
    BACKEND: (("bh-py/1.2.0", 1.0),),
}

# Share of a day's sessions in each UTC hour: America's evening, Europe's day, a quiet morning.
HOURS = np.array(
    [4.2, 3.7, 3.2, 2.6, 2.1, 1.9, 2.2, 2.8, 3.4, 3.9, 4.2, 4.4,
     4.6, 4.8, 5.0, 5.2, 5.3, 5.4, 5.6, 5.8, 5.9, 5.6, 5.1, 4.7]
) / 101.6  # fmt: skip
# Monday to Sunday.
WEEKDAYS = (1.04, 1.0, 0.99, 1.01, 0.95, 0.92, 1.09)


@dataclass(frozen=True)
class Country:
    """Where people live, what they read and pay in."""

    code: str
    locale: str
    currency: str
    weight: float


COUNTRIES = (
    Country("US", "en_US", "USD", 34), Country("US", "es_US", "USD", 4),
    Country("GB", "en_GB", "GBP", 13), Country("DE", "de_DE", "EUR", 9),
    Country("FR", "fr_FR", "EUR", 6), Country("NL", "nl_NL", "EUR", 4),
    Country("ES", "es_ES", "EUR", 4), Country("IT", "it_IT", "EUR", 3.5),
    Country("CA", "en_CA", "USD", 4), Country("CA", "fr_CA", "USD", 1),
    Country("SE", "sv_SE", "USD", 1.5), Country("PL", "pl_PL", "EUR", 2),
    Country("BR", "pt_BR", "USD", 3), Country("JP", "ja_JP", "USD", 2),
    Country("EG", "ar_EG", "USD", 2.5), Country("SA", "ar_SA", "USD", 2.5),
    Country("AE", "en_AE", "USD", 1), Country("IN", "en_IN", "USD", 3),
)  # fmt: skip


@dataclass(frozen=True)
class Traffic:
    """A way to the site: what the landing URL carries, where people come from, how they behave.

    Args:
        source, medium, campaign: what the utm values say, or what attribution should find.
        weights: how usual it is for new visitors, for returning ones, and inside the apps.
        tagged: whether the landing URL carries utm values.
        click_id: the advertiser's click id on the landing URL.
        referrers: pages people come from; an empty one: none is sent.
        deal: share of landings on a deal page.
        bounce, convert: factors on the usual rates.
        cost: price of a click, in `currency`; 0: not bought.
        clicked: share of impressions that are clicked.
    """

    source: str
    medium: str
    campaign: str = ""
    weights: tuple[float, float, float] = (1.0, 1.0, 0.0)
    tagged: bool = True
    click_id: str = ""
    referrers: tuple[str, ...] = ("",)
    deal: float = 0.5
    bounce: float = 1.0
    convert: float = 1.0
    cost: float = 0.0
    currency: str = "USD"
    clicked: float = 0.04
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def query(self) -> str:
        """The landing URL's query, without the click id's value."""
        values = {}
        if self.tagged:
            values = {
                "utm_source": self.source,
                "utm_medium": self.medium,
                "utm_campaign": self.campaign,
                **self.extra,
            }
        pairs = [f"{name}={quote(value, safe='')}" for name, value in values.items() if value]
        if self.click_id:
            pairs.append(f"{self.click_id}=")
        return "?" + "&".join(pairs) if pairs else ""


_GOOGLE = ("https://www.google.com/", "https://www.google.de/", "https://www.google.co.uk/")
_FACEBOOK = ("https://l.facebook.com/", "https://m.facebook.com/", "https://www.facebook.com/")
_MAIL = ("", "", "https://mail.google.com/", "https://outlook.live.com/")

# Arabic: summer offers. Names as people type them; URLs carry them percent-encoded.
TRAFFIC = (
    Traffic("(direct)", "(none)", weights=(17, 38, 80), tagged=False, deal=0.25, convert=1.15),
    Traffic("google", "organic", weights=(24, 16, 0), tagged=False, referrers=_GOOGLE, deal=0.6),
    Traffic("bing", "organic", weights=(2.6, 1.8, 0), tagged=False,
            referrers=("https://www.bing.com/",), deal=0.6),
    Traffic("duckduckgo", "organic", weights=(1.4, 1, 0), tagged=False,
            referrers=("https://duckduckgo.com/",), deal=0.6),
    Traffic("yahoo", "organic", weights=(0.7, 0.6, 0), tagged=False,
            referrers=("https://search.yahoo.com/",), deal=0.5),
    Traffic("google", "cpc", "brand", weights=(5, 6, 0), click_id="gclid", referrers=_GOOGLE,
            deal=0.2, bounce=0.8, convert=1.6, cost=0.42, clicked=0.11,
            extra={"utm_term": "shop example"}),
    Traffic("google", "cpc", "generic_deals", weights=(8, 3, 0), click_id="gclid",
            referrers=_GOOGLE, deal=0.75, convert=0.95, cost=0.88, clicked=0.035,
            extra={"utm_term": "spa deals", "utm_content": "ad-b"}),
    Traffic("google", "cpc", weights=(3, 1.5, 0), tagged=False, click_id="gclid",
            referrers=_GOOGLE, deal=0.7),
    Traffic("google", "cpc", "عروض-الصيف", weights=(1.2, 0.6, 0), click_id="gclid",
            referrers=("https://www.google.com.eg/", "https://www.google.com.sa/"), deal=0.7,
            convert=0.8, cost=0.31, clicked=0.05),
    Traffic("bing", "cpc", "generic_deals", weights=(1.5, 0.7, 0), click_id="msclkid",
            referrers=("https://www.bing.com/",), deal=0.7, cost=0.61, clicked=0.03),
    Traffic("facebook", "paid_social", "spring-lookalike", weights=(7, 2.5, 0), click_id="fbclid",
            referrers=_FACEBOOK, deal=0.85, bounce=1.2, convert=0.6, cost=0.54, clicked=0.012),
    Traffic("instagram", "paid_social", "🔥-flash-sale", weights=(3.5, 1.5, 1), click_id="fbclid",
            referrers=("https://l.instagram.com/",), deal=0.9, bounce=1.25, convert=0.55,
            cost=0.47, clicked=0.01),
    Traffic("tiktok", "paid_social", "haul_2026", weights=(1.8, 0.5, 0),
            referrers=("https://www.tiktok.com/",), deal=0.9, bounce=1.35, convert=0.35, cost=0.33,
            clicked=0.011),
    Traffic("criteo", "display", "retargeting", weights=(0.6, 4, 0),
            referrers=("https://www.criteo.com/", ""), deal=0.95, bounce=1.2, convert=1.1,
            cost=0.71, clicked=0.004),
    Traffic("doubleclick", "display", "été à la plage", weights=(1.8, 0.6, 0),
            referrers=("https://googleads.g.doubleclick.net/",), deal=0.6, bounce=1.4, convert=0.3,
            cost=0.25, currency="EUR", clicked=0.003),
    Traffic("facebook", "social", weights=(3, 2, 0), tagged=False, click_id="fbclid",
            referrers=_FACEBOOK, deal=0.7, bounce=1.2, convert=0.5),
    Traffic("reddit", "social", weights=(1.2, 0.5, 0), tagged=False,
            referrers=("https://www.reddit.com/", "https://old.reddit.com/"), bounce=1.3,
            convert=0.4),
    Traffic("twitter", "social", weights=(1, 0.5, 0), tagged=False,
            referrers=("https://t.co/",), bounce=1.3, convert=0.4),
    Traffic("youtube", "social", weights=(0.9, 0.4, 0), tagged=False,
            referrers=("https://www.youtube.com/",), convert=0.5),
    Traffic("pinterest", "social", weights=(0.6, 0.3, 0), tagged=False,
            referrers=("https://www.pinterest.com/",), convert=0.6),
    Traffic("newsletter", "email", "weekly-2026-09", weights=(1.2, 7, 2), referrers=_MAIL,
            deal=0.8, bounce=0.85, convert=1.5),
    Traffic("newsletter", "email", "win back ❤", weights=(0.1, 1.8, 0), referrers=_MAIL, deal=0.6,
            convert=1.2),
    Traffic("crm", "email", "cart_reminder", weights=(0, 1.5, 1), referrers=_MAIL, deal=0.9,
            bounce=0.6, convert=3.0),
    Traffic("push", "mobile-notification", "evening_push", weights=(0, 0, 12), deal=0.8,
            convert=1.2),
    Traffic("awin", "affiliate", "partner_1182", weights=(2, 1.2, 0),
            referrers=("https://www.awin1.com/", "https://couponfrog.example/"), deal=0.8,
            convert=1.3, cost=0.5, clicked=0.08),
    Traffic("dealblog.example", "referral", weights=(2.2, 0.9, 0), tagged=False,
            referrers=("https://dealblog.example/2026/best-weekend-deals",
                       "https://dealblog.example/"), deal=0.8),
    Traffic("forum.travel.example", "referral", weights=(1.1, 0.5, 0), tagged=False,
            referrers=("https://forum.travel.example/t/4711?page=3",), deal=0.7, bounce=1.2),
    Traffic("chatgpt.com", "referral", weights=(0.7, 0.3, 0), tagged=False,
            referrers=("https://chatgpt.com/",), convert=1.2),
    Traffic("news.example", "referral", weights=(0.8, 0.3, 0), tagged=False,
            referrers=("https://www.news.example/style/article-8812.html",), bounce=1.4,
            convert=0.4),
)  # fmt: skip

NEWSLETTER = tuple(n for n, way in enumerate(TRAFFIC) if way.medium == "email")


def traffic_weights(kind: int) -> Floats:
    """Weigh the ways in: 0 for new visitors, 1 for returning ones, 2 inside the apps."""
    return np.array([way.weights[kind] for way in TRAFFIC])


# --- pages ----------------------------------------------------------------------------------

SITES = (
    "https://www.shop.example", "https://m.shop.example", "https://app.shop.example",
    "https://www.outlet.example", "https://m.outlet.example",
)  # fmt: skip

_WARES = (
    "spa-day", "sushi-for-two", "weekend-in-rome", "yoga-class", "car-wash", "escape-room",
    "facial", "hot-stone-massage", "zoo-tickets", "bowling", "afternoon-tea", "flight-simulator",
    "dental-cleaning", "teppanyaki", "ski-pass", "photo-book", "boxing-gym", "river-cruise",
    "café-brunch", "عشاء-فاخر", "温泉", "bahnhofs-hotel", "wine-tasting", "phone-repair",
)  # fmt: skip
_SEARCHES = (
    "massage", "sushi", "hotel", "spa", "gift", "cheap flights", "restaurant near me", "nails",
    "مساج", "水族館", "pizza 🍕", "wellness münchen", "kids birthday", "gym", "oil change",
)  # fmt: skip
DEALS = 4_000
SEARCHES = 600


def site(platform: int, app: int) -> int:
    """Say which site a visitor of this platform and app sees."""
    if platform in (IOS, ANDROID):
        return 2
    return (3 if app else 0) + (1 if platform == MOBILE else 0)


def paths() -> list[str]:
    """List the paths of every page: home, searches, deals, then cart to confirmation."""
    searches = [
        f"/search?q={quote(_SEARCHES[n % len(_SEARCHES)])}&page={n // len(_SEARCHES) + 1}" for n in range(SEARCHES)
    ]
    deals = [f"/deals/{quote(_WARES[n % len(_WARES)])}-{10_000 + 7 * n}" for n in range(DEALS)]
    return ["/", *searches, *deals, "/cart", "/checkout", "/checkout/confirmation"]


FIRST_PATH = {
    HOME: 0, SEARCH: 1, DEAL: 1 + SEARCHES, CART: 1 + SEARCHES + DEALS,
    CHECKOUT: 2 + SEARCHES + DEALS, CONFIRMATION: 3 + SEARCHES + DEALS,
}  # fmt: skip

# --- what happens on pages --------------------------------------------------------------------

SCHEMAS = (
    "page_view", "impression", "click", "experiment_exposure", "order", "feature_use",
    "email_open", "custom.scroll_depth", "custom.video_play", "custom.search", "refund",
)  # fmt: skip
(PAGE_VIEW, IMPRESSION, CLICK, EXPOSURE, ORDER, FEATURE_USE, EMAIL_OPEN,
 SCROLL_DEPTH, VIDEO_PLAY, SEARCHED, REFUND) = range(11)  # fmt: skip

EXPERIMENT = "checkout_button_2026"
VARIANTS = ("control", "treatment")

TARGETS = (
    "deal-card", "nav-search", "add-to-cart", "nav-home", "filter-price", "carousel-next",
    "favourite", "map-pin", "checkout",
)  # fmt: skip

IMPRESSIONS = tuple(
    f'"widget":"{widget}","position":{position}'
    for widget in ("deal-grid", "recommendations", "banner-top", "recently-viewed", "map")
    for position in range(1, 13)
)
FEATURES = tuple(
    f'"feature":"{name}"'
    for name in (
        "search", "filters", "map", "favourites", "share", "reviews", "compare", "gift_wrap",
        "dark_mode", "chat",
    )
)  # fmt: skip
CUSTOM: dict[int, tuple[str, ...]] = {
    SCROLL_DEPTH: tuple(f'"percent":{percent}' for percent in (25, 50, 75, 90, 100)),
    VIDEO_PLAY: tuple(
        f'"video":"clip-{n}","seconds":{n * 7 % 90},"muted":{"true" if n % 3 else "false"}' for n in range(1, 40)
    ),
    SEARCHED: tuple(
        f'"term":"{term}","results":{13 * n % 97},"filters":{{"sort":"price","open":true}}'
        for n, term in enumerate(_SEARCHES)
    ),
}
