"""Amounts, currencies and days, as people and machines write them."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etl.formats.amounts import evidence, read_amount, read_count
from etl.formats.currencies import CODES, SIGNS, currency_of, in_title, read_currency, unmark
from etl.formats.periods import day_orders, days_between, read_date, read_period, spread, spread_count
from etl.formats.refusal import Refusal


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("1234.5", None, "1234.5"), ("1.234,56", None, "1234.56"), ("1,234.56", None, "1234.56"),
        ("1.234.567", None, "1234567"), ("12,34,567.8", None, "1234567.8"), ("1 234,56", None, "1234.56"),
        ("1\u202f234,56", None, "1234.56"), ("1'234.50", None, "1234.5"), (",5", None, "0.5"), ("0,500", None, "0.5"),
        ("-3.10", None, "-3.1"), ("\u22123,10", None, "-3.1"), ("1.5E-05", None, "0.000015"), ("7", None, "7"),
        ("0.30000000000000004", None, "0.3"),
        # A sign or a code may stand beside it.
        ("$1,234.50", None, "1234.5"), ("US$ 3", None, "3"), ("1.234,50 €", None, "1234.5"), ("EUR 12", None, "12"),
        ("12 EUR", None, "12"), ("1\u00a0234,50\u00a0€", None, "1234.5"), ("-$5.00", None, "-5"),
        ("$-5.00", None, "-5"),
        ("($1,005.00)", None, "-1005"), ("(5)", None, "-5"), ("5.00-", None, "-5"), ("CHF 1'234.50", None, "1234.5"),
        ("R$ 1.234,50", None, "1234.5"), ("12,50 zł", None, "12.5"), ("kr 7", None, "7"), ("$12 USD", None, "12"),
        # Only these can be read in two ways.
        ("1.234", None, "1.234"), ("1.234", ".", "1.234"), ("1.234", ",", "1234"),
        ("1,234", None, "1234"), ("1,234", ".", "1234"), ("1,234", ",", "1.234"), ("€1.234", ",", "1234"),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(text: str, mark: str | None, expected: str) -> None:
    assert read_amount("cost", text, mark) == Decimal(expected)


@pytest.mark.parametrize(
    "text",
    ["", ".", "1,2,3", "1.2.3", "12 QQQ", "$", "$$3", "--", "1e400", "1e13", "nan", "inf", "+-1", "--1", "9" * 61,
     "0x1", "EUR", "3 %", "-5-", "( )"],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="cost is"):
        read_amount("cost", text, None)


def test_amount_that_rows_contradict_is_not_guessed() -> None:
    with pytest.raises(Refusal, match="two ways"):
        read_amount("cost", "1,234", "")
    assert read_amount("cost", "1,50", "") == Decimal("1.5")


GROUPS = {".": [",", " ", "'", "\u00a0", "\u202f", "\u2019", ""], ",": [".", " ", "'", "\u00a0", "\u202f", ""]}
BESIDE = st.sampled_from(["{}", *(form for sign in (*SIGNS, "EUR", "usd") for form in (f"{sign}{{}}", f"{{}} {sign}"))])
BELOW = st.sampled_from(["-{}", "\u2212{}", "({})", "{}-"])


@given(st.integers(0, 10**13 - 1), st.sampled_from([".", ","]), st.data())
@example(123_456, ",", None)
def test_amounts_are_what_was_written(cents: int, mark: str, data: st.DataObject | None) -> None:
    """GIVEN any amount, in any spelling with two decimals THEN it is read back, and its file's mark with it."""
    separator = data.draw(st.sampled_from(GROUPS[mark])) if data else "."
    text = f"{cents // 100:,}".replace(",", separator) + f"{mark}{cents % 100:02}"
    beside, below = (data.draw(BESIDE), data.draw(st.none() | BELOW)) if data else ("{} €", None)
    marked = beside.format(text)
    written = below.format(marked) if below else marked
    if below == "{}-" and not marked[-1].isdigit():
        written = "-" + marked
    expected = Decimal(cents) / 100
    assert read_amount("cost", written, None) == (-expected if below else expected)
    assert evidence(written, is_count=False) == {mark}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234", 1234),
        ("1.234", 1234),
        ("1,234", 1234),
        ("12.345.678", 12_345_678),
        ("7.0", 7),
        ("--", None),
        ("", None),
    ],
)
def test_counts_are_whole_whatever_marks_stand_in_them(text: str, expected: int | None) -> None:
    assert read_count("clicks", text) == expected


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "9" * 19])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="clicks is"):
        read_count("clicks", text)


@pytest.mark.parametrize(
    ("said", "signs", "home", "expected"),
    [
        (None, (), "EUR", None), ("EUR", (), "USD", "EUR"), (None, ("€",), "USD", "EUR"),
        (None, ("US$",), "AUD", "USD"),
        # A dollar is the reporting currency's where that is one.
        (None, ("$",), "AUD", "AUD"), (None, ("$",), "EUR", "USD"), ("CAD", ("$",), "USD", "CAD"),
        (None, ("kr",), "NOK", "NOK"), ("SEK", ("kr",), "NOK", "SEK"), (None, ("$", "CAD"), "CAD", "CAD"),
        (None, ("eur",), "USD", "EUR"),
    ],
)  # fmt: skip
def test_signs_mean_a_currency(said: str | None, signs: tuple[str, ...], home: str, expected: str | None) -> None:
    assert currency_of(said, signs, home) == expected


@pytest.mark.parametrize(("said", "signs"), [("USD", ("€",)), ("CAD", ("US$",)), (None, ("€", "USD")), (None, ("kr",))])
def test_currencies_that_contradict_each_other_are_refused(said: str | None, signs: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match="cost is in"):
        currency_of(said, signs, "USD")


def test_cells_of_currencies_are_codes_or_signs_of_one() -> None:
    assert [read_currency(text) for text in ("eur", "€", "US$", "", None)] == ["EUR", "EUR", "USD", None, None]
    for text in ("dollars", "$", "12"):
        with pytest.raises(Refusal, match="currency is"):
            read_currency(text)


def test_titles_may_name_a_currency() -> None:
    assert in_title("Amount spent (USD)") == ("Amount spent", "USD")
    assert in_title("Cost [€]") == ("Cost", "€")
    assert in_title("Cost, US$") == ("Cost", "US$")
    assert [in_title(title) for title in ("Clicks (all)", "Clicks (CPC)", "Cost", "(USD)", "x" * 10**6)] == [None] * 5


def test_every_sign_stands_for_currencies_that_there_are() -> None:
    assert {code for codes in SIGNS.values() for code in codes} - CODES == {""}


@pytest.mark.parametrize(
    "text",
    ["2026-03-01", "2026/03/01", "20260301", "2026-03-01 00:00:00", "2026-03-01T00:00:00Z", "01.03.2026", "2026-3-1",
     "Mar 1, 2026", "March 1, 2026", "1 Mar 2026", "01-Mar-2026", "Sun, Mar 1, 2026", "1 March 2026"],
)  # fmt: skip
def test_days_are_read_where_they_can_be_no_other(text: str) -> None:
    assert read_date(text) == date(2026, 3, 1)
    assert read_period(text, None, None, day_first=None) == (date(2026, 3, 1), date(2026, 3, 1))


@pytest.mark.parametrize(
    "text", ["03/01/2026", "3/1/2026 12:00:00 AM", "2026-02-30", "Total", "0001-01-01", "2026-03", "Foo 1, 2026", ""]
)
def test_days_are_not_guessed(text: str) -> None:
    with pytest.raises(Refusal, match="date is"):
        read_date(text)


def test_a_files_rows_tell_whether_days_stand_before_months() -> None:
    assert [day_orders(text) for text in ("03/13/2026", "13/03/2026", "03/01/2026", "2026-03-13")] == [
        {False}, {True}, set(), set(),
    ]  # fmt: skip
    assert day_orders("03/01/2026 - 03/13/2026") == {False}
    assert read_date("03/01/2026", day_first=False) == read_date("01/03/2026", day_first=True) == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "until", "covers", "last"),
    [
        ("2026-03-01", "2026-03-07", "day", 7), ("2026-03-01 - 2026-03-07", None, "day", 7),
        ("Mar 1, 2026 \u2013 Mar 7, 2026", None, "day", 7), ("2026-03-01", None, "week", 7),
        ("2026-03-01", None, "month", 31), ("2026-03", None, "day", 31), ("March 2026", None, "month", 31),
        ("2026-03-01", "2026-03-01", "day", 1),
    ],
)  # fmt: skip
def test_rows_may_cover_several_days(text: str, until: str | None, covers: str, last: int) -> None:
    assert read_period(text, until, None, day_first=None, covers=covers) == (date(2026, 3, 1), date(2026, 3, last))


@pytest.mark.parametrize("until", ["2026-02-28", "2029-01-01", "soon"])
def test_days_that_do_not_follow_each_other_are_refused(until: str) -> None:
    with pytest.raises(Refusal, match=r"until is|date is"):
        read_period("2026-03-01", until, None, day_first=None)


@given(st.decimals(-(10**9), 10**9, places=6), st.integers(0, 10**9), st.integers(1, 400))
@example(Decimal("10"), 10, 3)
def test_what_is_spread_adds_up_and_is_even(amount: Decimal, number: int, days: int) -> None:
    """GIVEN any amount over any days THEN whole cents differ by one at most, and nothing is lost."""
    shares, counts = spread(amount, days), spread_count(number, days)
    assert sum(shares) == amount
    assert sum(filter(None, counts)) == number
    assert max(shares) - min(shares) < Decimal("0.02")
    assert max(counts) - min(counts) <= 1  # type: ignore[operator, type-var]
    assert all(share == share.quantize(Decimal("0.01")) for share in shares[1:])
    assert len(list(days_between(date(2026, 1, 1), date(2026, 1, 1)))) == 1


@given(st.text("0123456789.,-+ ()$€EURUSDkre'\u00a0", max_size=20))
def test_no_text_beside_a_number_makes_the_reader_fail(text: str) -> None:
    """GIVEN any text THEN it is an amount or refused, and no letter of a code is taken for a number."""
    number, _, _ = unmark(text)
    try:
        amount = read_amount("cost", text, None)
    except Refusal:
        return
    assert amount == amount.quantize(Decimal("0.000001"))
    assert any(letter.isdigit() for letter in number)
