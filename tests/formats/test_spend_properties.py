"""Exports of spend cut, mangled and written in any way: every line of them is something."""

import csv
import io
from datetime import date
from decimal import Decimal

from builders.spend import HEADER, Export, read
from hypothesis import given
from hypothesis import strategies as st

from etl.vocabulary.spend_exports import SpendExport

ROWS = "2026-03-01,google,cpc,a,10,1,5.00,USD\n2026-03-02,google,cpc,b,20,2,7.00,USD\n"


# Nothing is lost


EXPORTS = {
    "google": "Campaign report\nMarch 1 - 3\nDay,Campaign,Impr.,Clicks,Cost\n2026-03-01,a,10,1,$1.50\n"
    "2026-03-02,b,20,2,$2.50\nTotal: Campaigns,,30,3,$4.00\n",
    "ours": HEADER + ROWS + "Total,,,,30,3,12.00,USD\n",
    "semicolons": "sep=;\nDate;Source;Medium;Campaign;Cost\n01.03.2026;a;b;c;1.234,50 €\n02.03.2026;a;b;c;0,50 €\n",
    "microsoft": "Report Name: x\nTime Zone: UTC\n\nGregorian date,Campaign name,Impr.,Clicks,Spend\n"
    "3/1/2026,a,10,1,5.00\n3/13/2026,a,10,1,5.00\n\n\u00a92026 Microsoft Corporation. All rights reserved.\n",
}


@given(st.sampled_from(sorted(EXPORTS)), st.data())
def test_every_line_of_a_file_cut_anywhere_is_something(name: str, data: st.DataObject) -> None:
    """GIVEN an export cut at any character, in either encoding THEN each of its lines is one thing."""
    whole = EXPORTS[name]
    text = whole[: data.draw(st.integers(0, len(whole)))]
    lines = [line for line in text.split("\n") if line.strip()]
    for encoding in ("utf-8", "utf-16"):
        found = read(text.encode(encoding))
        if not found.rows and found.counts.get("quarantine") == 1:
            continue
        assert told(found) in {len(lines) - 1, 0}
        cut = text.encode(encoding)
        read(cut[: data.draw(st.integers(0, len(cut)))])


def told(found: Export) -> int:
    """Count the lines of which something was said."""
    aside = found.counts["totals"] + found.counts["titles"] + found.counts["quarantine"]
    return len(set(found.values("line_number"))) + aside


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    read(content)
    read(HEADER.encode() + content)


@given(st.lists(st.text('ab1.,;" \t\r', max_size=12), max_size=30))
def test_no_row_makes_the_reader_fail(rows: list[str]) -> None:
    read("date,cost,campaign,source,medium\n" + "\n".join(rows))


CELLS = st.text("abcäö 中-_", min_size=1, max_size=8).map(str.strip).filter(lambda text: text.strip("-_"))
TRUTH = st.lists(
    st.tuples(st.dates(date(2024, 1, 1), date(2026, 12, 31)), CELLS, CELLS, CELLS,
              st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**8)),
    min_size=2, max_size=8,
)  # fmt: skip
DATES = {"%Y-%m-%d": None, "%d.%m.%Y": None, "%b %d, %Y": None, "%Y%m%d": None, "%d/%m/%Y": "%d/%m/%Y"}


@given(
    TRUTH, st.sampled_from(sorted(DATES)), st.sampled_from(",;\t|"), st.sampled_from(".,"),
    st.sampled_from(["{}", "€{}", "{} €", "EUR {}"]), st.sampled_from(["utf-8-sig", "utf-16", "utf-8"]),
    st.integers(0, 40), st.booleans(),
)  # fmt: skip
def test_a_table_is_read_back_however_it_was_written(
    truth: list[tuple[date, str, str, str, int, int, int]], day: str, delimiter: str, mark: str, beside: str,
    encoding: str, titles: int, has_total: bool,
) -> None:  # fmt: skip
    """GIVEN any spend, in any spelling, with titles and totals THEN it is read back whole and nothing warns."""

    def money(cents: int) -> str:
        grouped = f"{cents // 100:,}.{cents % 100:02}"
        return beside.format(grouped if mark == "." else grouped.translate({44: 46, 46: 44}))

    out = io.StringIO()
    out.write("".join(f"Title {number}\n" for number in range(titles)))
    table = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    table.writerow(["Date", "Source", "Medium", "Campaign", "Impressions", "Clicks", "Cost (EUR)"])
    for when, *names, impressions, clicks, cents in truth:
        table.writerow([when.strftime(day), *names, impressions, clicks, money(cents)])
    if has_total:
        sums = [sum(row[place] for row in truth) for place in (4, 5, 6)]  # type: ignore[misc]
        table.writerow(["Total", "", "", "", sums[0], sums[1], money(sums[2])])
    export = SpendExport(date_format=DATES[day])
    found = read(out.getvalue().encode(encoding), export)
    assert found.refused == []
    assert found.values("date", "source", "medium", "campaign", "impressions", "clicks", "cost", "currency") == [
        (*row[:6], Decimal(row[6]) / 100, "EUR") for row in truth
    ]
    assert found.counts["totals"] == has_total
