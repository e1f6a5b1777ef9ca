"""What a build costs that no clock needs to measure: statements, scans of the lake, columns that windows carry."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from builders.shop import LEDGER, SHOP, SHOP_HITS
from builders.warehouse import Warehouse

from etl.stages.build.plan import Node

# Whoever makes a build dearer says so here, in the same commit.
# 248: the maturity of touches, and what the metrics of an experiment are to it (a seed and its test).
# 250: the days that are sealed, and the test of their key.
# 252: a site's own hosts where its log names none, and the test of their key.
# 259: what is kept when events go: page views and witnesses counted, hours with hits, probes heard, and their key.
MOST_NODES = 259
MOST_SCANS = {"events": 13, "pixel_hits": 5, "messages": 1, "quarantine": 4, "event_counts": 4}
"""Of the datasets that grow: so many scans in a build of everything."""

WHOLE_IN_A_DAYS_BUILD = {"access_loss_daily"}
"""What scans all events though one day is built: it meets the days of access logs alone."""

WIDEST_WINDOW = 24
WIDE_AND_SMALL = {"int_kpis_compared"}
"""What has a row a period, however many visits there are."""


@pytest.fixture(scope="module")
def shop(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    warehouse.fill(events=SHOP, pixel_hits=SHOP_HITS, **LEDGER)
    warehouse.run()
    with warehouse.opened() as con:
        yield con


def asked(node: Node) -> bool:
    """Whether a node runs a query of its own: views and ephemeral models stand in who reads them."""
    return node.kind in {"table", "days", "test"}


def scans(con: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, bool]]:
    """Name the datasets of the lake that a query scans, each with whether only some of its days are."""

    def walk(tree: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
        for operator in tree:
            said = operator.get("extra_info", {})
            schema, _, table = said.get("Table", "").removeprefix("build.").partition(".")
            if schema == "lake":
                yield table, "_date" in f"{said.get('Filters', '')}{said.get('File Filters', '')}"
            yield from walk(operator["children"])

    ((_, plan),) = con.execute(f"explain (format json) {sql}").fetchall()
    return list(walk(json.loads(plan)))


def test_a_build_runs_so_many_statements_and_scans_each_dataset_so_often(
    shop: duckdb.DuckDBPyConnection, compiled: dict[str, Node]
) -> None:
    assert len(compiled) <= MOST_NODES
    shop.execute("set variable built_days = null::date[]")
    found = Counter(name for node in compiled.values() if asked(node) for name, _ in scans(shop, node.sql))
    assert {name: found[name] for name, most in MOST_SCANS.items() if found[name] > most} == {}
    assert found["events"] > 0 and found["pixel_hits"] > 0


def test_a_build_of_one_day_scans_that_days_events(shop: duckdb.DuckDBPyConnection, compiled: dict[str, Node]) -> None:
    shop.execute("set variable built_days = [date '2026-03-02']")
    nodes = [node for node in compiled.values() if asked(node)]
    whole = {node.name for node in nodes if ("events", False) in scans(shop, node.sql)}
    assert whole - WHOLE_IN_A_DAYS_BUILD == set()
    # A query that does not ask for the days is found.
    assert scans(shop, "select visitor_id from lake.events") == [("events", False)]


def windows(con: duckdb.DuckDBPyConnection, sql: str) -> dict[str, int]:
    """Name the steps of a model that have a window function, with the number of columns that they carry on."""

    def has_window(part: Any) -> bool:
        if isinstance(part, list):
            return any(map(has_window, part))
        return isinstance(part, dict) and (
            part.get("class") == "WINDOW" or any(has_window(part[key]) for key in part if key != "cte_map")
        )

    ((written,),) = con.execute("select json_serialize_sql($sql)", {"sql": sql}).fetchall()
    query = json.loads(written)["statements"][0]["node"]
    assert not has_window(query), "a window function stands in a step of its own"
    found = [step["key"] for step in query["cte_map"]["map"] if has_window(step["value"]["query_node"])]
    asking = [re.sub(r"(select\s+\*\s+from\s+)\w+\s*$", rf'\1"{name}"', sql.rstrip()) for name in found]
    return {name: len(con.execute(f"describe {query}").fetchall()) for name, query in zip(found, asking, strict=True)}


def test_no_window_function_carries_wide_rows(shop: duckdb.DuckDBPyConnection, compiled: dict[str, Node]) -> None:
    """GIVEN a step with a window function THEN it is of narrow rows: what it sorts and spills is what it looks at."""
    models = [node for node in compiled.values() if node.kind in {"table", "days", "view"}]
    carried = {(node.name, step): width for node in models for step, width in windows(shop, node.sql).items()}
    assert len(carried) > 20
    wide = {step: width for step, width in carried.items() if width > WIDEST_WINDOW}
    assert {name for name, _ in wide} - WIDE_AND_SMALL == set(), wide


def test_a_window_over_all_columns_is_found(shop: duckdb.DuckDBPyConnection) -> None:
    wide = """
        with numbered as (
            select *, row_number() over (partition by visitor_id order by event_at) as number from lake.events
        ), chosen as (select event_id, number from numbered)
        select * from chosen
    """
    assert windows(shop, wide)["numbered"] > WIDEST_WINDOW
    assert windows(shop, wide.replace("select *, row", "select event_id, row"))["numbered"] == 2
