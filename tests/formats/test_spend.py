"""Spend exports: which rows are spend, which speak of the others, and which cannot be read."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest
from builders import shared
from builders.spend import HEADER, read

from etl.vocabulary.spend_exports import SpendExport

GOOGLE_MICROS = SpendExport(columns={"date": "Day", "cost_micros": "Cost"})


def test_contracts_columns_are_read() -> None:
    found = read(HEADER + '2026-03-01,google,cpc,"spring, 2026",100,7,12.34,EUR\n2026-03-02,bing,cpc,,,,0.5,\n')
    names = ("date", "source", "medium", "campaign", "impressions", "clicks", "cost", "currency")
    assert found.values(*names) == [
        (date(2026, 3, 1), "google", "cpc", "spring, 2026", 100, 7, Decimal("12.34"), "EUR"),
        (date(2026, 3, 2), "bing", "cpc", None, None, None, Decimal("0.5"), None),
    ]
    assert found.counts == {"spend": 2}


@pytest.mark.parametrize(
    ("name", "exports", "costs"),
    [
        ("micros_in_cost/inbox/spend/aw_report.csv", [GOOGLE_MICROS], ["1.11", "0.81"]),
        # Known by its title, it needs no setting.
        ("micros_in_cost/inbox/spend/aw_report.csv", [], ["1.11", "0.81"]),
        ("google_dollar/inbox/spend/google_dollar.csv", [], ["172.45", "1054.20"]),
        ("google_dollar/inbox/spend/google_ui.csv", [], ["1172.45", "165.10", "54.20"]),
        ("dcm_preamble/inbox/spend/dcm.csv", [], ["12.50", "13.50"]),
        ("spend_names/inbox/spend/REPORT.CSV", [], ["10"]),
        ("spend_names/inbox/spend/export.tsv", [], ["10"]),
        ("utm_mess/inbox/spend/google.csv", [], ["25", "14"]),
    ],
)  # fmt: skip
def test_exports_that_people_have_are_read_whole(name: str, exports: list[SpendExport], costs: list[str]) -> None:
    found = read(shared(f"field/{name}").read_bytes(), *exports, name=f"spend/{name.rpartition('/')[2]}")
    assert [row["cost"] for row in found.rows] == [Decimal(cost) for cost in costs]
    assert found.refused == []


def test_real_export_in_micros_adds_up() -> None:
    """GIVEN a real ads export without our column names THEN every sum is the export's."""
    content = shared("spend/google_ads_campaign_stats.csv").read_bytes()
    exported = list(csv.DictReader(io.StringIO(content.decode())))
    found = read(content)
    assert found.cost * 10**6 == sum(int(row["cost_micros"]) for row in exported) == 231_330_000
    for name in ("clicks", "impressions"):
        assert sum(row[name] for row in found.rows) == sum(int(row[name]) for row in exported)
    assert set(found.values("source", "medium", "campaign")) == {("google", "cpc", "9935249409")}
    assert found.counts == {"spend": 16}


# Totals, titles and footers


ROWS = "2026-03-01,google,cpc,a,10,1,5.00,USD\n2026-03-02,google,cpc,b,20,2,7.00,USD\n"


@pytest.mark.parametrize(
    "total",
    [
        "Total,,,,30,3,12.00,USD", "Grand Total:,---,--,--,30,3,12.00,USD", "Total: Campaigns,--,--,--,30,3,12.00,",
        # A platform's totals hold what was removed too: the word is enough where no day stands.
        "Total: Account,--,--,--,99,9,99.00,", "Totals (2),,,,30,3,12.00,USD", ",,,Total,30,3,12.00,USD",
        "Summe,,,,30,3,12.00,EUR", "Total of 2 results,,,,30,3,12.00,", "Total",
        # The sum of the others, whatever it is called; each of them may have been rounded.
        ",,,,30,3,12.00,", "My account,,,,30,3,12.01,USD", ",google,cpc,everything,30,3,12.00,USD",
        "2026-03-31,,,,30,3,12.00,USD", "2026-03-31,Total,,,30,3,12.00,USD",
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_first", [False, True])
def test_rows_of_totals_are_told_apart(total: str, is_first: bool) -> None:
    found = read(HEADER + (f"{total}\n{ROWS}" if is_first else f"{ROWS}{total}\n"))
    assert found.cost == 12
    assert found.counts == {"spend": 2, "totals": 1}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        # Without a day, and not the sum: what it was is not known.
        (",google,cpc,c,3,1,3.00,USD", "quarantine"), (",,,,30,3,13.00,USD", "quarantine"),
        (",,,,31,3,12.00,USD", "quarantine"), ("Total Wine & More,google,cpc,c,3,1,3.00,USD", "quarantine"),
        # With a day and a name, it is spend, even if it happens to be a sum.
        ("2026-03-02,google,cpc,c,30,3,12.00,USD", "spend"), ("2026-03-02,google,cpc,Total,30,3,12.00,USD", "spend"),
        ("2026-03-02,,,,3,1,3.00,USD", "spend"), ("2026-03-02,google,cpc,,30,3,12.00,USD", "spend"),
    ],
)  # fmt: skip
def test_rows_that_are_no_sum_of_the_others_are_no_totals(row: str, kind: str) -> None:
    found = read(HEADER + ROWS + row + "\n")
    assert found.counts == ({"spend": 3} if kind == "spend" else {"spend": 2, "quarantine": 1})


def test_one_row_is_no_sum_of_another_that_is_named() -> None:
    row = "2026-03-01,google,cpc,a,1,1,5.00,USD\n"
    assert read(HEADER + row + ",google,cpc,b,1,1,5.00,USD\n").counts == {"spend": 1, "quarantine": 1}
    assert read(HEADER + row + ",,,,1,1,5.00,USD\n").counts == {"spend": 1, "totals": 1}


def test_each_days_and_each_blocks_totals_are_told_apart() -> None:
    days = "".join(
        f"2026-03-0{day},google,cpc,{name},1,1,{day}.00,USD\n" for day in (1, 2) for name in "ab"
    ) + "2026-03-01,,,,2,2,2.00,USD\n2026-03-02,,,,2,2,4.00,USD\n"  # fmt: skip
    assert read(HEADER + days).counts == {"spend": 4, "totals": 2}
    block = "2026-03-01,google,cpc,{},1,1,{}.00,USD\n"
    blocks = block.format("a", 1) + block.format("b", 2) + ",,,,2,2,3.00,\n"
    blocks += block.format("c", 3) + block.format("d", 4) + ",,,,2,2,7.00,\n,,,,4,4,10.00,\n"
    found = read(HEADER + blocks)
    assert (found.counts, found.cost) == ({"spend": 4, "totals": 3}, 10)


def test_rows_that_all_lack_a_name_are_spend() -> None:
    """GIVEN spend without source, medium and campaign THEN no row of it is taken for a sum."""
    found = read(HEADER + "2026-03-01,,,,1,1,1.00,USD\n2026-03-02,,,,1,1,1.00,USD\n2026-03-03,,,,2,2,2.00,USD\n")
    assert found.cost == 4


@pytest.mark.parametrize("lines", [0, 1, 30, 5000])
def test_titles_of_any_length_stand_before_a_header(lines: int) -> None:
    found = read("".join(f'"Filter {number}",is: set\n' for number in range(lines)) + HEADER + ROWS)
    assert found.cost == 12
    assert found.counts["titles"] == lines
    assert found.refused == []


def test_titles_with_an_open_quote_do_not_swallow_the_header() -> None:
    assert read('"Report of "spring\n' + HEADER + ROWS).cost == 12


@pytest.mark.parametrize(
    "footer",
    ["\u00a92026 Microsoft Corporation. All rights reserved. ", "Report generated:,yesterday", "2 rows returned",
     '"Note: figures, once read, may change"', "Note: figures, once read, may change, and do",
     ",,,All times are UTC,,,,"],
)  # fmt: skip
def test_footers_are_told_apart_from_rows_that_cannot_be_read(footer: str) -> None:
    found = read(HEADER + ROWS + f"\n{footer}\n")
    assert found.counts == {"spend": 2, "titles": 1}
    # Rows follow: what stands between them is no footer.
    assert read(HEADER + ROWS + f"{footer}\n" + ROWS).counts == {"spend": 4, "quarantine": 1}


def test_a_row_that_was_cut_short_is_no_footer() -> None:
    table = "campaign,date,source,medium,cost\nBrand core,2026-03-01,a,b,1\n"
    assert read(table + "Brand").details == ["1 cells, the header has 5"]
    assert read(table + "Brand by day").counts == {"spend": 1, "titles": 1}


def test_exports_put_together_are_read_as_one() -> None:
    """GIVEN a header, titles and a mark of the byte order again in the middle THEN they are told apart."""
    found = read(HEADER + ROWS + "end of report\n\n\ufeff" + HEADER + ROWS)
    assert (found.cost, found.counts) == (24, {"spend": 4, "titles": 2})


def test_rows_before_the_header_are_not_lost_silently() -> None:
    found = read(ROWS + HEADER + ROWS)
    assert found.details == ["stands before the header"] * 2
    assert found.cost == 12


def test_unreadable_rows_are_quarantined_and_the_others_read() -> None:
    found = read(
        HEADER.encode()
        + b"2026-03-01,google,cpc,\xc3\xa4,1,1,1,USD\n"
        + b"2026-03-01,google,cpc,b,1,1,USD\n"
        + b"2026-03-01,google,cpc,c,1,1,,USD\n"
        + b",google,cpc,d,1,1,1,USD\n"
        + b"03/01/2026,google,cpc,e,1,1,1,USD\n"
        + b"2026-03-01,google,cpc,e,1,1,1,dollars\n"
        + b"2026-03-01,google,cpc,e,1,1,\xe2\x82\xac1,USD\n"
        + b'2026-03-01,google,cpc,"f,1,1,1,USD\n'
        + b"2026-03-01,google,cpc,\xff,1,1,1,USD\n"
        + b"2026-03-01,google,cpc," + b"g" * 200 + b",1,1,1,USD\n"
        + b"\n,,,,,,,\n\0\0\0\n"
        + b"2026-03-01,google,cpc,h,1,1,1,USD\n2026-0",
        longest=120,
    )  # fmt: skip
    assert [row["campaign"] for row in found.rows] == ["ä", "h"]
    refused = sorted(found.refused, key=lambda row: row["line_number"])
    assert [(row["line_number"], row["reason"], row["detail"]) for row in refused] == [
        (3, "bad_line", "7 cells, the header has 8"),
        (4, "missing_key", "cost is empty"),
        (5, "missing_key", "date is empty"),
        (6, "malformed_key", "date is '03/01/2026', which can be read in two ways"),
        (7, "malformed_key", "currency is 'dollars'"),
        (8, "malformed_key", "cost is in €, and its currency is USD"),
        (9, "bad_line", "a quote is not closed"),
        (10, "bad_line", "not UTF-8: invalid start byte"),
        (11, "too_large", "a longer line begins so, its SHA-256 is sha"),
        (16, "bad_line", "1 cells, the header has 8"),
    ]  # fmt: skip
    assert found.refused[0]["payload"] == "2026-03-01,google,cpc,b,1,1,USD"


# Files of another world


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["", "\0\0\0", "\n\n"])
def test_files_are_read_in_any_encoding(encoding: str, ending: str, tail: str) -> None:
    """GIVEN a title, tabs and a name with a line break THEN its rows are there, however they are written."""
    header = "Campaign report\n\nDate\tSource\tMedium\tCampaign\tCost\n"
    text = header + '2026-03-01\tgoogle\tcpc\t"\u00e4a\nb"\t"1.234,50 €"\n' + tail
    found = read(text.replace("\n", ending).encode(encoding))
    ((campaign, *rest),) = found.values("campaign", "cost", "currency", "line_number")
    assert (campaign.replace("\r", ""), *rest) == ("\u00e4a\nb", Decimal("1234.5"), "EUR", 4)
    assert found.refused == []


def test_lines_may_end_in_a_carriage_return_alone() -> None:
    found = read((HEADER + ROWS).replace("\n", "\r"))
    assert (found.cost, found.values("line_number")) == (12, [(2,), (3,)])


@pytest.mark.parametrize("separator", [";", ",", "\t", "|", "^"])
def test_a_first_line_may_name_the_separator(separator: str) -> None:
    table = (HEADER + ROWS).replace(",", separator)
    assert read(f"sep={separator}\r\n{table}").cost == 12
    assert read(f'"sep={separator}"\n{table}').counts == {"spend": 2, "titles": 1}


@pytest.mark.parametrize(
    "name", ["spend/a", "spend/REPORT.CSV", "spend/x/export.tsv", "spend/report.2026-03", "spend/ä.xls"]
)
def test_no_name_matters(name: str) -> None:
    assert read(HEADER + ROWS, name=name).cost == 12


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # An unambiguous cost, or a count with thousands' marks, tells how the others are meant.
        (["1;1;1.234", "1;1;0,50"], "1234"),
        (["1.000;1;1.234"], "1234"),
        (["1;1;1,234", "1;1;2,5"], "1.234"),
        (["1,000;1;1,234", "1;1;2.5"], "1234"),
        (["1;1;1,234"], "1.234"),
        (["1;1;$1,234", "1;1;$2.50"], "1234"),
    ],
)
def test_decimal_mark_is_the_files(rows: list[str], expected: str) -> None:
    header = "date;source;medium;campaign;impressions;clicks;cost\n"
    body = "\n".join("2026-03-01;google;cpc;;" + row for row in rows)
    assert read(header + body).rows[0]["cost"] == Decimal(expected)


def test_days_and_months_are_told_apart_by_the_files_rows() -> None:
    row = "{},google,cpc,a,1,1,1,USD\n"
    assert read(HEADER + row.format("03/01/2026") + row.format("03/25/2026")).values("date")[0] == (date(2026, 3, 1),)
    assert read(HEADER + row.format("03/01/2026") + row.format("25/01/2026")).values("date")[0] == (date(2026, 1, 3),)


def test_rows_over_several_days_are_spread_to_the_cent() -> None:
    found = read("date,until,source,medium,campaign,impressions,clicks,cost\n2026-03-30,2026-04-01,a,b,c,7,2,10.00\n")
    assert found.values("date", "impressions", "clicks", "cost", "line_number") == [
        (date(2026, 3, 30), 3, 1, Decimal("3.34"), 2),
        (date(2026, 3, 31), 2, 1, Decimal("3.33"), 2),
        (date(2026, 4, 1), 2, 0, Decimal("3.33"), 2),
    ]
    broken = read("date,until,source,medium,campaign,cost\n2026-03-30,2026-03-01,a,b,c,1\n2026-03-30,,a,b,c,1\n")
    assert (broken.details, broken.cost) == (["until is '2026-03-01', and date '2026-03-30'"], 1)


# What the settings say


def test_a_mapped_column_loses_the_meaning_of_its_name() -> None:
    export = SpendExport(columns={"cost_micros": "Cost", "campaign": "Source", "date": "Day"}, values={"source": "x"})
    found = read("Day,Source,Medium,Campaign,Cost,Date\n2026-03-01,s,m,c,1500000,2020-01-01\n", export)
    assert found.values("date", "source", "medium", "campaign", "cost") == [
        (date(2026, 3, 1), "x", "m", "s", Decimal("1.5"))
    ]


def test_a_mapped_column_does_not_speak_twice() -> None:
    export = SpendExport(columns={"campaign": "Medium"}, values={"source": "x"})
    found = read("Date,Medium,Cost\n2026-03-01,m,1\n", export)
    assert "the header has no medium" in found.details[0]


def test_a_value_of_the_settings_holds_over_a_column_that_they_do_not_name() -> None:
    row = "2026-03-01,google,cpc,a,1,1,5.00,\n"
    assert read(HEADER + row, SpendExport(values={"medium": "ppc"})).values("medium") == [("ppc",)]
    mapped = SpendExport(columns={"currency": "currency"}, values={"currency": "EUR"})
    assert read(HEADER + row + row.replace(",\n", ",CHF\n"), mapped).values("currency") == [("EUR",), ("CHF",)]


def test_settings_say_what_an_exports_columns_are() -> None:
    export = SpendExport(
        files="agency/*",
        header=[["Ausgaben", "Spent"]],
        columns={"date": "Day", "campaign": "Name", "cost": ["Ausgaben", "Spent"]},
        values={"source": "facebook", "medium": "paid_social", "currency": "EUR"},
        campaigns={"Spring 2026": "spring"},
        decimal=",",
        date_format="%d/%m/%Y",
    )
    text = "Day,Name,Spent\n02/03/2026,Spring 2026,1.234\n"
    names = ("date", "source", "campaign", "cost", "currency")
    expected = (date(2026, 3, 2), "facebook", "spring", Decimal(1234), "EUR")
    assert read(text, export, name="spend/agency/a.csv").values(*names) == [expected]
    assert read(text, export.model_copy(update={"decimal": "."}), name="spend/agency/a").cost == Decimal("1.234")
    assert read(text, export, name="spend/other/a.csv").rows == []


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("day,price\n2026-03-01,1\n2026-03-02,1\n", "no line names both a date and a cost that are known"),
        ("date,cost,source\n2026-03-01,1,google\n", "the header has no medium, campaign: name a column"),
        ("Day,Impr.,Cost\n2026-03-01,1,1\n", "looks like an export of Google Ads; its header has no campaign"),
        ("Date,Campaign Name,Clicks,Amount Spent (USD)\n2026-03-01,a,1,1\n", "no line names both a date and a cost"),
        ("Campaign,Impr.,Cost\na,1,1\n", "looks like an export of Google Ads without days: export it by day"),
        ("PK\x03\x04\x14\0...", "looks like an Excel workbook or another archive: save it as CSV"),
        ('{"date": "2026-03-01"}\n', "looks like JSON: save it as CSV"),
    ],
)  # fmt: skip
def test_files_that_are_not_read_are_refused_in_one_sentence(text: str, detail: str) -> None:
    found = read(text)
    assert found.counts == {"quarantine": 1}
    assert found.refused[0]["reason"] == "unknown_schema"
    assert found.details[0].startswith(f"spend/a.csv: {detail}")
    assert found.details[0].endswith("not read; see docs/spend.md")


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", HEADER, "\0" * 9])
def test_files_in_which_nothing_stands_say_nothing(text: str) -> None:
    assert read(text).counts == {}
