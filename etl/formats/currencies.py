"""Currencies: codes and signs beside an amount, and which currency they mean."""

import re
from functools import lru_cache
from typing import NamedTuple

from etl.formats.refusal import Refusal

ISO_4217 = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND
    VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CODES = frozenset(ISO_4217.split())

DOLLARS = (
    "USD", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "ARS", "FJD", "GYD", "HKD", "JMD", "KYD",
    "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "UYU", "XCD",
)  # fmt: skip
SIGNS: dict[str, tuple[str, ...]] = {
    "$": DOLLARS, "US$": ("USD",), "U$": ("USD",), "A$": ("AUD",), "AU$": ("AUD",), "C$": ("CAD",), "CA$": ("CAD",),
    "NZ$": ("NZD",), "HK$": ("HKD",), "S$": ("SGD",), "NT$": ("TWD",), "MX$": ("MXN",), "R$": ("BRL",),
    "€": ("EUR",), "£": ("GBP", "EGP", "GIP", "FKP", "SHP", "LBP"), "¥": ("JPY", "CNY"), "JP¥": ("JPY",),
    "CN¥": ("CNY",), "元": ("CNY",), "円": ("JPY",), "₹": ("INR",), "₽": ("RUB",),
    "\u0440\u0443\u0431.": ("RUB",), "₺": ("TRY",),
    "TL": ("TRY",), "₩": ("KRW",), "₪": ("ILS",), "฿": ("THB",), "₫": ("VND",), "₴": ("UAH",), "zł": ("PLN",),
    "Kč": ("CZK",), "Ft": ("HUF",), "lei": ("RON",), "\u043b\u0432.": ("BGN",), "₱": ("PHP",), "₦": ("NGN",),
    "Rp": ("IDR",),    "RM": ("MYR",), "Fr.": ("CHF",), "SFr.": ("CHF",),
    # Nobody's more than another's: the reporting currency decides, or a code.
    "kr": ("", "SEK", "NOK", "DKK", "ISK"), "kr.": ("", "DKK", "SEK", "NOK", "ISK"),
}  # fmt: skip
"""Each sign's currencies; the first is meant where nothing else is said."""

MINUS = "-\u2212"
SPACES = " \t\u00a0\u2009\u202f"
SIGN = "|".join(re.escape(sign) for sign in sorted(SIGNS, key=len, reverse=True))
BARE = re.compile(r"[\d.,]+")
BEFORE = re.compile(rf"^({SIGN}|[A-Za-z]{{3}})[{SPACES}]*(?=[+{MINUS}]?[\d.,])")
AFTER = re.compile(rf"(?<=[\d.,])[{SPACES}]*({SIGN}|[A-Za-z]{{3}})[{SPACES}]*(?=[{MINUS}]?$)")
LONGEST_TITLE = 200
IN_TITLE = re.compile(rf"(.*\S)\s*(?:[(\[]\s*({SIGN}|[A-Z]{{3}})\s*[)\]]|,\s*({SIGN}|[A-Z]{{3}}))")


class Marked(NamedTuple):
    """A number, whether it is below zero, and the signs or codes that stood beside it."""

    number: str
    is_negative: bool = False
    signs: tuple[str, ...] = ()


def unmark(text: str) -> Marked:
    """Take signs and codes from beside an amount: "-$1,234.50", "($5.00)", "1.234,50 €", "EUR 12", "5.00-"."""
    body, is_negative, is_signed = text.strip(SPACES), False, False
    if BARE.fullmatch(body):
        return Marked(body)
    if body.startswith("(") and body.endswith(")"):
        body, is_negative = body[1:-1].strip(SPACES), True
    signs: list[str] = []
    for mark in (BEFORE, AFTER):
        if not is_signed and body[:1] in {"+", *MINUS}:
            is_signed, is_negative = True, is_negative or body[0] in MINUS
            body = body[1:].lstrip(SPACES)
        if (found := mark.search(body)) and is_currency(found[1]):
            signs.append(found[1])
            body = body[: found.start()] + body[found.end() :]
    if not is_signed and body[-1:] and body[-1] in MINUS and body[:-1].rstrip(SPACES)[-1:].isdigit():
        is_negative, body = True, body[:-1].rstrip(SPACES)
    return Marked(body, is_negative, tuple(signs))


def is_currency(sign: str) -> bool:
    """Say whether this is a sign or a code."""
    return sign in SIGNS or sign.upper() in CODES


def in_title(title: str) -> tuple[str, str] | None:
    """Split a column's title into its name and the sign or code beside it: "Cost (USD)", "Cost, €"."""
    found = IN_TITLE.fullmatch(title.strip()) if len(title) <= LONGEST_TITLE else None
    sign = found and (found[2] or found[3])
    return (found[1], sign) if found and sign and is_currency(sign) else None


def meant(sign: str) -> tuple[str, ...]:
    """Name the currencies that a sign or code may mean, the likeliest first."""
    return SIGNS.get(sign) or (sign.upper(),)


@lru_cache(maxsize=1024)
def read_currency(text: str | None) -> str | None:
    """Read a cell of currencies: a code, or a sign that is one currency's; None where nothing is said.

    Raises:
        Refusal: it is neither.
    """
    code = (text or "").strip()
    if len(meant(code)) == 1 and code in SIGNS:
        return meant(code)[0]
    if code and not re.fullmatch("[A-Za-z]{3}", code):
        raise Refusal("malformed_key", f"currency is {(text or '')[:100]!r}")
    return code.upper() or None


@lru_cache(maxsize=1024)
def currency_of(said: str | None, signs: tuple[str, ...], home: str) -> str | None:
    """Say which currency an amount is in; None is the reporting currency.

    Args:
        said: the code that its row, its column or the settings name.
        signs: what stands beside the amount.
        home: the reporting currency, which decides what a sign of several currencies means.

    Raises:
        Refusal: they contradict each other, or a sign could be any of several currencies.
    """
    for sign in signs:
        codes = meant(sign)
        if said is not None and said not in codes:
            raise Refusal("malformed_key", f"cost is in {sign}, and its currency is {said}")
        said = said or (home if home in codes else codes[0])
        if not said:
            raise Refusal("malformed_key", f"cost is in {sign}, which could be {', '.join(filter(None, codes))}")
    return said
