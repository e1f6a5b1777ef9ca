"""Spend from the inbox to the lake: what the inbox holds now is what was spent."""

from decimal import Decimal
from pathlib import Path

import pytest
from builders import House, shared
from builders.spend import HEADER

from etl import pipeline
from etl.lake.catalogue import Lake
from etl.lake.landed import landings
from etl.lake.manifests import Nothing
from etl.settings import SpendExport
from etl.stages.build.ledger import files_table

ROW = "2026-03-01,google,cpc,a,1,1,{},USD\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def costs(house: House) -> list[tuple[str, Decimal]]:
    """Bring the lake up to date; list each row's file and cost."""
    pipeline.land(house.settings)
    pipeline.parse(house.settings)
    return [(row["source_file"], row["cost"]) for row in house.scan("spend", "source_file, line_number, date")]


def statuses(house: House, name: str) -> list[str]:
    """Say what became of each content that a file has had."""
    return [
        content.status
        for landing in landings(Lake(house.settings))
        for content in landing.contents
        if landing.source_file == name
    ]


def test_rows_and_refusals_reach_the_lake(house: House) -> None:
    house.put("spend/a.csv", (HEADER + ROW.format("1.50") + ROW.format("x") + "Total,,,,1,1,1.50,USD\n").encode())
    assert costs(house) == [("spend/a.csv", Decimal("1.5"))]
    assert [(row["source_file"], row["line_number"]) for row in house.quarantine()] == [("spend/a.csv", 3)]
    (book,) = files_table(Lake(house.settings)).to_pylist()
    assert (book["lines"], book["messages"], book["valid"], book["quarantined"]) == (4, 2, 1, 1)
    assert book["detail"] == "lines aside: 1 of totals"


def test_real_google_export_warns_of_nothing(house: House) -> None:
    """GIVEN exports with titles, totals and millionths THEN their counts say so, and nothing is quarantined."""
    for name in ("google_dollar/inbox/spend/google_ui.csv", "google_dollar/inbox/spend/google_dollar.csv"):
        house.put(f"spend/{name.rpartition('/')[2]}", shared(f"field/{name}").read_bytes())
    house.put("spend/api.csv", shared("spend/google_ads_campaign_stats.csv").read_bytes())
    assert sum(cost for _, cost in costs(house)) == Decimal("1391.75") + Decimal("1226.65") + Decimal("231.33")
    assert house.quarantine() == []
    units = Lake(house.settings).units("spend", Nothing)
    assert sorted((unit.counts["totals"], unit.counts["titles"]) for _, unit in units.values()) == [
        (0, 0),
        (1, 2),
        (2, 2),
    ]


def test_a_statement_that_is_replaced_or_taken_out_counts_no_more(house: House) -> None:
    """GIVEN a file that is replaced, taken out and put back THEN what the inbox holds is what counts."""
    path = house.put("spend/a.csv", (HEADER + ROW.format(1)).encode())
    house.put("spend/b.csv", (HEADER + ROW.format(5)).encode())
    assert costs(house) == [("spend/a.csv", 1), ("spend/b.csv", 5)]
    house.put("spend/a.csv", (HEADER + ROW.format(2)).encode())
    assert costs(house) == [("spend/a.csv", 2), ("spend/b.csv", 5)]
    assert statuses(house, "spend/a.csv") == ["replaced", "landed"]
    path.unlink()
    assert costs(house) == [("spend/b.csv", 5)]
    assert statuses(house, "spend/a.csv") == ["replaced", "withdrawn"]
    house.put("spend/a.csv", (HEADER + ROW.format(1)).encode())
    assert costs(house) == [("spend/a.csv", 1), ("spend/b.csv", 5)]
    assert len(house.files("raw")) == 3


def test_superseded_and_orphaned_readings_are_gone(house: House) -> None:
    """GIVEN a file that is replaced and what a killed run left THEN only the file as it is counts."""
    house.put("spend/a.csv", (HEADER + ROW.format(1) + ROW.format("x")).encode())
    costs(house)
    for dataset in ("spend", "quarantine"):
        (path,) = house.files(dataset)
        orphan = path.with_name("0000000000000000-00000000.parquet")
        orphan.write_bytes(path.read_bytes())
    Lake(house.settings).path("staging", "killed").mkdir(parents=True)
    house.put("spend/a.csv", (HEADER + ROW.format(2)).encode())
    assert costs(house) == [("spend/a.csv", 2)]
    assert house.quarantine() == []
    assert not [path for path in house.settings.lake.rglob("0000000000000000-00000000.parquet")]


def test_changed_settings_reread_and_nothing_else_does(house: House, tmp_path: Path) -> None:
    house.put("spend/a.csv", b"Day,Name,Spent\n2026-03-01,spring,$1.234\n")
    export = SpendExport(
        columns={"date": "Day", "campaign": "Name", "cost": "Spent"}, values={"source": "a", "medium": "b"}, decimal="."
    )
    assert costs(house) == []
    house.keys = {"spend_exports": [export]}
    assert costs(house) == [("spend/a.csv", Decimal("1.234"))]
    assert "parse" not in pipeline.pending(house.settings)
    house.keys = {"spend_exports": [export.model_copy(update={"decimal": ","})]}
    assert costs(house) == [("spend/a.csv", 1234)]
    house.keys |= {"reporting_currency": "CAD"}
    costs(house)
    assert [row["currency"] for row in house.scan("spend")] == ["CAD"]
    register = tmp_path / "platforms.toml"
    register.write_text('totals = ["Spring"]\n')
    house.keys |= {"ad_platforms": register}
    assert "parse" in pipeline.pending(house.settings)


def test_an_inbox_without_spend_has_none(house: House) -> None:
    house.put("spend/empty.csv", b"")
    assert costs(house) == []
    assert house.quarantine() == []
