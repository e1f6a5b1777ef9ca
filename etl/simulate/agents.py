"""A few thousand user agents, popular ones first, as browsers, apps and robots send them."""

from itertools import product

import numpy as np

from etl.simulate.text import Floats

Agents = tuple[list[str], Floats]

_DESKTOPS = {
    "Windows NT 10.0; Win64; x64": 0.68,
    "Macintosh; Intel Mac OS X 10_15_7": 0.22,
    "X11; Linux x86_64": 0.05,
    "X11; CrOS x86_64 14541.0.0": 0.03,
    "Windows NT 6.1; Win64; x64": 0.02,
}
_PHONES = (
    "K", "SM-S918B", "SM-A546B", "SM-G991B", "SM-A536B", "Pixel 8", "SM-S928U", "SM-A155F",
    "Pixel 7a", "SM-G998U", "23021RAAEG", "SM-A346E", "Redmi Note 12", "M2101K6G", "SM-A127F",
    "moto g power (2022)", "CPH2449", "SM-S911U", "Pixel 6", "SM-A047F", "V2206", "RMX3710",
    "SM-A235F", "22101316G", "SM-G780G", "CPH2581", "SM-A515F", "2201117TY", "LM-Q730", "XQ-CT54",
    "SM-T870", "HUAWEI P30 lite", "ONEPLUS A6013", "Nokia G21", "SM-M336B", "TECNO KI5k",
    "Infinix X6816", "ASUS_AI2202", "SM-F731U", "FP4",
)  # fmt: skip
_ANDROIDS = (14, 13, 15, 12, 11, 10)
_IPHONES = (
    "17_5_1", "17_4_1", "18_1", "17_6", "16_7_8", "18_0_1", "17_3", "16_6", "15_8_2", "17_1_2",
    "16_3_1", "15_6_1", "14_8", "17_0_3", "16_1",
)  # fmt: skip
_APP_VERSIONS = ("5.12.1", "5.12.0", "5.11.2", "5.10.0", "5.9.3", "5.7.0", "4.31.2", "4.28.0")
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"

_DECLARED = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Googlebot/2.1; "
    "+http://www.google.com/bot.html) Chrome/125.0.6422.175 Safari/537.36",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; "
    "+http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
    "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/125.0.0.0 Safari/537.36",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (compatible; DuckDuckBot-Https/1.1; https://duckduckgo.com/duckduckbot)",
)
_MALFORMED = ("", "-", "Mozilla/5.0", "Mozilla", "curl", "() { :;};", "Mozilla/4.0 (compatible)")


def _ranked(count: int, slope: float = 1.1) -> Floats:
    """Weigh the first most: popularity falls with the rank (Zipf)."""
    weights = np.arange(1, count + 1, dtype=np.float64) ** -slope
    return weights / weights.sum()


def _family(share: float, names: list[str], slope: float = 1.1) -> list[tuple[str, float]]:
    return list(zip(names, (share * _ranked(len(names), slope)).tolist(), strict=True))


def _agents(*families: list[tuple[str, float]]) -> Agents:
    names = [name for family in families for name, _ in family]
    return names, np.array([weight for family in families for _, weight in family])


def desktop() -> Agents:
    """Browsers on desks: Chrome (also with its old full versions), Edge, Safari, Firefox, Opera."""
    chrome: list[tuple[str, float]] = []
    edge: list[tuple[str, float]] = []
    opera: list[tuple[str, float]] = []
    firefox: list[tuple[str, float]] = []
    for system, share in _DESKTOPS.items():
        start = f"Mozilla/5.0 ({system}) {_WEBKIT}"
        reduced = [f"{start} Chrome/{major}.0.0.0 Safari/537.36" for major in range(131, 100, -1)]
        full = [
            f"{start} Chrome/{major}.0.{4000 + 59 * (major - 80)}.{patch} Safari/537.36"
            for major, patch in product(range(109, 79, -1), (124, 99, 75, 61, 45))
        ]
        chrome += _family(0.56 * share, reduced) + _family(0.04 * share, full, 0.6)
        edge += _family(
            0.14 * share,
            [f"{start} Chrome/{m}.0.0.0 Safari/537.36 Edg/{m}.0.0.0" for m in range(131, 105, -1)],
        )
        opera += _family(
            0.03 * share,
            [f"{start} Chrome/{m}.0.0.0 Safari/537.36 OPR/{m - 14}.0.0.0" for m in range(129, 110, -1)],
        )
        firefox += _family(
            0.08 * share,
            [
                f"Mozilla/5.0 ({system}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0"
                for major in (*range(132, 100, -1), 91, 78, 52)
            ],
        )
    safari = _family(
        0.15,
        [
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
            f"(KHTML, like Gecko) Version/{version} Safari/605.1.15"
            for version in ("17.5", "17.4.1", "18.1", "17.6", "16.6", "17.3.1", "15.6.1", "14.1.2")
        ],
    )
    return _agents(chrome, edge, opera, firefox, safari)


def mobile() -> Agents:
    """Browsers on phones: Safari, Chrome on many models, Samsung's, and the networks' own."""
    iphone = [
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {version} like Mac OS X) AppleWebKit/605.1.15 "
        f"(KHTML, like Gecko) Version/{version.replace('_', '.')} Mobile/15E148 Safari/604.1"
        for version in _IPHONES
    ]
    ipad = [agent.replace("iPhone; CPU iPhone OS", "iPad; CPU OS") for agent in iphone]
    chrome_ios = [agent.replace("Version/", "CriOS/12").replace("Safari/604.1", "Safari/604.1") for agent in iphone]
    facebook = [
        f"Mozilla/5.0 (iPhone; CPU iPhone OS {version} like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
        f"like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/{major}.0.0.36.106;FBBV/60{major}0;FBDV/"
        f"iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/{version.replace('_', '.')};FBSS/3;FBCR/;FBID/phone]"
        for version, major in product(_IPHONES, (468, 466, 462, 450))
    ]
    android = [
        f"Mozilla/5.0 (Linux; Android {system}; {model}) {_WEBKIT} Chrome/{major}.0.0.0 Mobile Safari/537.36"
        for major, model, system in product(range(131, 118, -1), _PHONES, _ANDROIDS[:4])
    ]
    samsung = [
        f"Mozilla/5.0 (Linux; Android {system}; {model}) {_WEBKIT} "
        f"SamsungBrowser/{version}.0 Chrome/{110 + version}.0.0.0 Mobile Safari/537.36"
        for version, system, model in product(
            (25, 24, 23, 19), _ANDROIDS, [phone for phone in _PHONES if phone.startswith("SM-")]
        )
    ]
    firefox = [
        f"Mozilla/5.0 (Android {system}; Mobile; rv:{major}.0) Gecko/{major}.0 Firefox/{major}.0"
        for major, system in product(range(132, 112, -1), _ANDROIDS)
    ]
    return _agents(
        _family(0.36, iphone), _family(0.03, ipad), _family(0.03, chrome_ios),
        _family(0.05, facebook), _family(0.43, android, 0.8), _family(0.08, samsung, 0.8),
        _family(0.02, firefox),
    )  # fmt: skip


def ios_app() -> Agents:
    """The shop's own app on iPhones."""
    return _agents(
        _family(
            1.0,
            [
                f"Shop/{app} (iPhone{model}; iOS {system.replace('_', '.')}; Scale/3.00)"
                for app, system, model in product(_APP_VERSIONS, _IPHONES[:8], ("14,5", "15,2", "16,1"))
            ],
        )
    )


def android_app() -> Agents:
    """The shop's own app on Android phones."""
    return _agents(
        _family(
            1.0,
            [
                f"Shop/{app} (Android {system}; {model}) okhttp/4.12.0"
                for app, model, system in product(_APP_VERSIONS, _PHONES, _ANDROIDS[:4])
            ],
            0.8,
        )
    )


def declared_bots() -> Agents:
    """Robots that say so."""
    return _agents(_family(1.0, list(_DECLARED), 0.9))


def malformed() -> Agents:
    """Agents too short or too long to be a browser's."""
    endless = "Mozilla/5.0 (compatible) " + "x" * 400
    return _agents(_family(1.0, [*_MALFORMED, endless], 0.6))
