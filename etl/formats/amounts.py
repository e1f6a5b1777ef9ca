"""Amounts: numbers as people and machines write them, to a millionth."""

import re
from decimal import Decimal, InvalidOperation

from etl.formats.currencies import unmark
from etl.formats.refusal import Refusal

MICRO = Decimal("0.000001")
MOST = Decimal(10) ** 12

SPACES = " \u00a0\u2009\u202f"
GROUPED = re.compile(rf"[1-9]\d{{0,2}}([.,'\u2019{SPACES}])(?:\d{{2,3}}\1)*\d{{3}}(?:(?!\1)([.,])\d+)?")
UNDECIDED = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
PLAIN = re.compile(r"\d*(?:([.,])\d*)?")
SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?[eE][+-]?\d{1,3}")
WHOLE = re.compile(r"\d{1,18}")
NOTHING = {"", "-", "--", "---", "\u2013", "\u2014"}
"""What stands in a cell of which there is nothing to say."""
LONGEST_NUMBER = 60


def evidence(text: str, *, is_count: bool) -> set[str]:
    """What one number's writing says of the decimal mark, if anything."""
    if text.isdigit():
        return set()
    text = unmark(text).number
    other = {".": ",", ",": "."}
    if undecided := UNDECIDED.fullmatch(text):
        return {other[undecided[1]]} if is_count else set()
    if grouped := GROUPED.fullmatch(text):
        mark = grouped[2] or other.get(grouped[1])
        return {mark} if mark else set()
    if (plain := PLAIN.fullmatch(text)) and plain[1]:
        return {plain[1]}
    return set()


def read_amount(name: str, text: str, mark: str | None) -> Decimal:
    """Read an amount of money as people and machines write it, to a millionth: 1234.5, $1,234.56, 1.234,56 €.

    Args:
        name: our column; of `cost_micros` a million is one, and its marks are thousands'.
        mark: the file's decimal mark, for a number that could be read either way.

    Raises:
        Refusal: it is no number, too large, or could be either of two.
    """
    body, is_negative, _ = unmark(text)
    is_micros = name == "cost_micros"
    try:
        amount = Decimal(plain_number(body, mark, is_count=is_micros)) * (MICRO if is_micros else 1)
        if amount >= MOST:
            raise InvalidOperation
        return (-amount if is_negative else amount).quantize(MICRO)
    except InvalidOperation as error:
        either = ", which can be read in two ways" if mark == "" and UNDECIDED.fullmatch(body) else ""
        raise Refusal("malformed_key", f"{name} is {text[:100]!r}{either}") from error


def plain_number(body: str, mark: str | None, *, is_count: bool = False) -> str:
    """Write a number without its thousands' marks and with a point; "" when it is none."""
    if len(body) > LONGEST_NUMBER:
        return ""
    if SCIENTIFIC.fullmatch(body):
        return body
    if undecided := UNDECIDED.fullmatch(body):
        if is_count or (mark != "" and undecided[1] != (mark or ".")):
            return body.replace(undecided[1], "")
        return body.replace(",", ".") if mark != "" else ""
    if grouped := GROUPED.fullmatch(body):
        return body.replace(grouped[1], "").replace(",", ".")
    return body.replace(",", ".") if PLAIN.fullmatch(body) and body.strip(".,") else ""


def read_count(name: str, text: str | None) -> int | None:
    """Read a whole number, thousands' marks or not; an empty cell is not known.

    Raises:
        Refusal: it is no whole number.
    """
    if text is None or text in NOTHING:
        return None
    if WHOLE.fullmatch(text):
        return int(text)
    digits = plain_number(re.sub(r"[.,]0{1,2}$", "", text), None, is_count=True)
    if not WHOLE.fullmatch(digits):
        raise Refusal("malformed_key", f"{name} is {text[:100]!r}")
    return int(digits)
