"""The register of ad platforms: each export is read without a setting, and as that platform's."""

from datetime import date
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from builders.spend import REGISTER, read
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.errors import BadUse
from etl.formats.delimited import Line
from etl.formats.spend_layout import Formats, find_layout
from etl.vocabulary.spend_exports import AdPlatform, SpendExport, load_platforms


def headers(entry: AdPlatform) -> list[list[str]]:
    """Make each header that an entry knows: its titles in one language after the other, and what else it must have."""
    longest = max(len(titles) for titles in entry.columns.values())
    made = []
    for number in range(longest):
        titles = [column[min(number, len(column) - 1)] for column in entry.columns.values()]
        made.append(titles + [one[0] for one in entry.header if not set(one) & set(titles)])
    return made


@pytest.mark.parametrize("entry", REGISTER.platform, ids=lambda entry: f"{entry.name} by {entry.covers or 'day'}")
def test_every_header_of_the_register_is_its_platforms(entry: AdPlatform) -> None:
    """GIVEN the titles of an entry, in each language THEN that entry reads them, none that stands before it."""
    for titles in headers(entry):
        lines = [Line(1, entry.says or "Report"), Line(2, "\t".join(titles))]
        layout = find_layout(lines, "spend/a.csv", Formats((), REGISTER))
        assert (layout.platform, layout.covers) in {(entry.name, entry.covers or "day"), (None, "day")}
        assert layout.platform or not entry.values, titles
        assert layout.defaults == entry.values
        assert {titles[position] for position in layout.positions.values()} >= set(titles[:1])


@pytest.mark.parametrize("entry", REGISTER.platform, ids=lambda entry: f"{entry.name} by {entry.covers or 'day'}")
def test_entries_say_what_their_spend_is_called(entry: AdPlatform) -> None:
    """GIVEN an entry THEN it names day, cost and campaign, and source and medium by column or value."""
    named = {*entry.columns, *entry.values}
    assert {"date", "campaign", "source", "medium"} <= named
    assert len({"cost", "cost_micros"} & named) == 1
    assert entry.header


NAMES = st.text("abcdeä -", min_size=1, max_size=6).filter(lambda said: said.strip("- "))
SPENT = st.lists(
    st.tuples(st.integers(0, 11), NAMES, st.integers(0, 10**5),
              st.integers(0, 10**4), st.integers(0, 10**7)),
    min_size=1, max_size=6, unique_by=lambda row: (row[0], row[1].strip()),
)  # fmt: skip
"""Number of the month, campaign, impressions, clicks, cents."""


@pytest.mark.parametrize("entry", REGISTER.platform, ids=lambda entry: f"{entry.name} by {entry.covers or 'day'}")
@settings(max_examples=10, deadline=None)
@given(spent=SPENT, language=st.integers(0, 6))
def test_what_any_platform_exports_is_read_back(
    entry: AdPlatform, spent: list[tuple[int, str, int, int, int]], language: int
) -> None:
    """GIVEN known spend under an entry's titles, in any language that it knows THEN all of it is read, and no more."""
    made = headers(entry)
    titles = made[language % len(made)]
    names = list(entry.columns)
    written = [entry.says or "Report", "\t".join(titles)]
    for month, campaign, impressions, clicks, cents in spent:
        first = date(2026, month + 1, 1)
        row = {
            "date": first, "until": first, "source": "src", "medium": "med", "campaign": campaign.strip(),
            "impressions": impressions, "clicks": clicks, "cost": f"{cents // 100}.{cents % 100:02}",
            "cost_micros": cents * 10_000, "currency": "EUR",
        }  # fmt: skip
        cells = [str(row[name]) for name in names] + [""] * (len(titles) - len(names))
        written.append("\t".join(cells))
    found = read("\n".join(written) + "\n", home="EUR")
    assert found.refused == []
    totals: dict[tuple[int, str], list[Any]] = {}
    for row in found.rows:
        total = totals.setdefault((row["date"].month - 1, row["campaign"]), [0, 0, Decimal(0)])
        for place, name in enumerate(("impressions", "clicks", "cost")):
            total[place] += row[name] or 0
    expected = {
        (month, campaign.strip()): [
            impressions if "impressions" in names else 0, clicks if "clicks" in names else 0, Decimal(cents) / 100,
        ]
        for month, campaign, impressions, clicks, cents in spent
    }  # fmt: skip
    assert totals == expected
    currency = "EUR" if "currency" in names else None
    said = {(row["source"], row["medium"], row["currency"]) for row in found.rows}
    assert said == {(entry.values.get("source", "src"), entry.values.get("medium", "med"), currency)}


def test_metas_table_begins_with_its_totals() -> None:
    """GIVEN a week's export of one campaign THEN its first row, which names none, is no second one."""
    header = "Reporting starts,Reporting ends,Campaign name,Amount spent (EUR),Impressions,Link clicks\n"
    total = "2026-03-02,2026-03-08,,70.02,700,7\n"
    found = read("\ufeff" + header + total + "2026-03-02,2026-03-08,Spring,70.02,700,7\n2026-03-02,2026-03-08,Old,,,\n")
    assert found.refused == []
    assert found.counts == {"totals": 1, "spend": 14}
    spring = [row for row in found.rows if row["campaign"] == "Spring"]
    assert [row["cost"] for row in spring] == [Decimal("10.01"), Decimal("10.01"), *[Decimal(10)] * 5]
    assert found.cost == Decimal("70.02")
    assert {(row["source"], row["medium"], row["currency"]) for row in spring} == {("facebook", "paid social", "EUR")}


def test_metas_days_are_not_spread() -> None:
    header = "Campaign name,Day,Amount spent (USD),Reporting starts,Reporting ends\n"
    found = read(header + "Spring,2026-03-02,5.00,2026-03-01,2026-03-31\n")
    assert found.values("date", "cost") == [(date(2026, 3, 2), 5)]


def test_linkedins_report_is_read() -> None:
    """GIVEN five lines before the header, tabs, UTF-16 and American days THEN it is read whole."""
    text = (
        "Campaign Performance Report (in UTC)\nReport Start: March 1, 2026, 12:00 AM\nReport End: March 9, 2026\n"
        "Date Generated: March 10, 2026, 9:00 AM\n\n"
        "Start Date (in UTC)\tAccount Name\tCurrency\tCampaign Name\tTotal Spent\tImpressions\tClicks\n"
        '03/02/2026\tAcme\tUSD\tHiring\t"1,234.50"\t"10,000"\t7\n03/03/2026\tAcme\tUSD\tHiring\t2.5\t10\t0\n'
    )
    found = read(text.encode("utf-16"))
    assert (found.refused, found.cost) == ([], Decimal("1237.00"))
    assert found.values("date", "source", "medium")[0] == (date(2026, 3, 2), "linkedin", "paid social")


def test_tiktoks_totals_are_told_apart() -> None:
    header = "Campaign name,By Day,Cost,Impressions,Clicks (destination),Currency\n"
    found = read(
        header + "a,2026-03-01,1.50,10,1,USD\nb,2026-03-01,2.50,20,2,USD\nTotal of 2 results,-,4.00,30,3,USD\n"
    )
    assert (found.counts, found.cost) == ({"spend": 2, "totals": 1}, 4)


@pytest.mark.parametrize("report", ["Impr.", "Impressions"])
def test_microsofts_report_is_read(report: str) -> None:
    text = (
        f"Report Name: x\nReport Time: 3/1/2026,3/2/2026\n\nGregorian date,Campaign name,{report},Clicks,Spend\n"
        "3/1/2026,a,10,1,5.00\n3/2/2026,a,10,1,5.00\n\u00a92026 Microsoft Corporation. All rights reserved. \n"
    )
    found = read(text)
    assert (found.refused, found.cost) == ([], 10)
    assert found.values("date", "source")[1] == (date(2026, 3, 2), "bing")


def test_googles_weeks_and_months_are_spread() -> None:
    assert len(read("Week,Campaign,Impr.,Cost\n2026-03-02,a,7,7.00\n").rows) == 7
    months = read("Month,Campaign,Impr.,Cost\nMarch 2026,a,31,31.00\n")
    assert set(months.values("cost", "impressions")) == {(1, 1)}
    assert len(months.rows) == 31


def test_google_in_german_is_read() -> None:
    text = "Kampagnenbericht\n1. März 2026\nTag\tKampagne\tWährungscode\tKosten\tImpr.\tKlicks\n"
    text += '2026-03-01\tMarke\tEUR\t"1.234,50"\t1.204\t41\nGesamt: Kampagnen\t--\tEUR\t"1.234,50"\t1.204\t41\n'
    found = read(text.encode("utf-16-le"))
    assert (found.refused, found.cost) == ([], Decimal("1234.50"))
    assert found.values("impressions", "currency") == [(1204, "EUR")]


def test_settings_win_over_the_register() -> None:
    """GIVEN an entry that says otherwise in part THEN the rest is still the platform's."""
    export = SpendExport(columns={"campaign": "Campaign ID"}, values={"medium": "ppc"}, campaigns={"7": "spring"})
    found = read("Day,Campaign,Campaign ID,Impr.,Cost\n2026-03-01,Name,7,1,1.00\n", export)
    assert found.values("source", "medium", "campaign") == [("google", "ppc", "spring")]
    micros = read("Day,Campaign,Impr.,Cost\n2026-03-01,Name,1,1500000\n", SpendExport(columns={"cost_micros": "Cost"}))
    assert micros.cost == Decimal("1.5")


def test_settings_take_the_whole_meaning_of_what_they_name() -> None:
    """GIVEN another day or another cost in the settings THEN the platform's last day and cost are not mixed in."""
    meta = "Reporting starts,Reporting ends,Started,Campaign name,Amount spent\n2026-03-01,2026-03-31,2026-03-05,a,31\n"
    assert read(meta, SpendExport(columns={"date": "Started"})).values("date", "cost") == [(date(2026, 3, 5), 31)]
    google = "Day,Campaign,Impr.,Cost,Micros\n2026-03-01,a,1,9,1500000\n"
    assert read(google, SpendExport(columns={"cost_micros": "Micros"})).cost == Decimal("1.5")


def test_an_empty_cost_is_nothing_spent_only_where_nothing_was_shown() -> None:
    found = read("Day,Campaign,Impr.,Clicks,Cost\n2026-03-01,a,0,0,--\n2026-03-01,b,5,1,\n")
    assert found.values("campaign", "cost") == [("a", 0)]
    assert found.details == ["cost is empty"]


def test_tables_with_the_links_own_words_are_read() -> None:
    found = read("day,utm_source,utm_medium,utm_campaign,spend\n2026-03-01,google,cpc,spring,5\n")
    assert found.values("source", "medium", "campaign", "cost") == [("google", "cpc", "spring", 5)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[platform]]\n", r"platform.0.name: Field required"), ("[[platform]\n", "Expected"),
        ('[[platform]]\nname = "x"\ncolumns = { price = "Cost" }\n', "platform.0.columns.price"),
        ("\xff", "codec"),
    ],
)  # fmt: skip
def test_register_that_makes_no_sense_is_bad_use(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ad_platforms.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadUse, match=said):
        load_platforms(path)
    with pytest.raises(BadUse, match="cannot be read"):
        load_platforms(tmp_path / "none.toml")


def test_words_for_totals_are_no_regular_expressions() -> None:
    """GIVEN words of any language THEN each begins a row of totals, with what platforms put after it."""
    header = "date,source,medium,campaign,cost\n2026-03-01,a,b,c,1\n"
    for word, after in product(REGISTER.totals, ["", ":", ": Campaigns", " (3)", " - all", " of 3 results"]):
        assert read(f"{header}{word.title()}{after},,,,9\n").counts == {"spend": 1, "totals": 1}, word
