"""Metrics: what dbt's semantic layer defines once, asked for by name from the published warehouse.

MetricFlow only writes the SQL; this process runs it, on the warehouse as it was published and with the definitions that
were published with it. Nothing is written, and no build is waited for or held up.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb
import orjson

from etl.errors import BadUse
from etl.lake import sql
from etl.warehouse import periods
from etl.warehouse.periods import EARLIEST, LATEST, PERIODS

if TYPE_CHECKING:
    from metricflow.engine.metricflow_engine import MetricFlowEngine

TIME = "metric_time"
MONEY = ("revenue", "average_order_value", "revenue_per_visitor")
"""Metrics made of orders' amounts, which leave out those without a rate."""

ATTRIBUTED = "attributed_"
"""What the measures begin with that are dated by touches."""


@dataclass(frozen=True)
class Metric:
    """A metric as it is defined: what it means, and by what it can be asked.

    Args:
        dimensions: name → the name by which MetricFlow knows it.
        is_attributed: whether it grows while touches go on earning.
    """

    name: str
    description: str
    dimensions: dict[str, str]
    is_attributed: bool = False


@dataclass(frozen=True)
class Answer:
    """A query's columns and rows, and the SQL they came from."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    sql: str
    completeness: float | None = None
    """How much of what the pixel saw on the days asked for has its event; None without a pixel log."""

    first: date | None = None
    last: date | None = None
    """The days answered for: of an answer by a period its first and last are whole."""

    unknown: date | None = None
    """Up to this day it is not known of which pages page views were: their events are gone. None where it is."""


@contextmanager
def opened(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a published warehouse under the name that dbt built it by, which the definitions use; read-only."""
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"attach {sql.text(warehouse)} as build (read_only)")
        yield con


def read_manifest(con: duckdb.DuckDBPyConnection) -> str:
    """Read the definitions that a warehouse was published with, as dbt writes them (JSON).

    Raises:
        BadUse: it was published without.
    """
    try:
        return str(con.execute("select semantic_manifest from build.metrics.definitions").fetchall()[0][0])
    except duckdb.CatalogException as error:
        raise BadUse("the warehouse was published without metrics", "Run `build` to publish it anew") from error


def read_metrics(manifest: str) -> dict[str, Metric]:
    """List the metrics by name; one over several tables can only be asked by time."""
    content = orjson.loads(manifest)
    tables = {}
    of_few = partial_dimensions(manifest)
    of_measure: dict[str, str] = {}
    for model in content["semantic_models"]:
        entity = model["primary_entity"]
        tables[model["name"]] = {
            dimension["name"]: f"{entity}__{dimension['name']}"
            for dimension in model["dimensions"]
            if dimension["type"] == "categorical"
        }
        of_measure |= {measure["name"]: model["name"] for measure in model["measures"]}
    found = {}
    settled = {metric["name"]: str((metric["filter"] or {}).get("where_filters")) for metric in content["metrics"]}
    for metric in content["metrics"]:
        measures = {measure["name"] for measure in metric["type_params"]["input_measures"]}
        used = {of_measure[measure] for measure in measures}
        shared = tables[min(used)] if len(used) == 1 else {}
        # What a metric itself filters by is settled: the model of an attributed one.
        parts = [part["name"] for part in metric["type_params"]["metrics"] or ()]
        filters = "".join(settled[name] for name in (metric["name"], *parts))
        asked_by = {
            name: known for name, known in shared.items()
            if f"'{known}'" not in filters and measures <= set(of_few.get(known, measures))
        }  # fmt: skip
        is_attributed = any(measure.startswith(ATTRIBUTED) for measure in measures)
        found[metric["name"]] = Metric(metric["name"], metric["description"], asked_by, is_attributed)
    return found


def partial_dimensions(manifest: str) -> dict[str, list[str]]:
    """List the dimensions that only some of a table's facts have, by MetricFlow's name, with the measures of these."""
    return {
        f"{model['primary_entity']}__{dimension['name']}": only
        for model in orjson.loads(manifest)["semantic_models"]
        for dimension in model["dimensions"]
        if (only := ((dimension.get("config") or {}).get("meta") or {}).get("only"))
    }


def make_engine(manifest: str) -> "MetricFlowEngine":
    """Make what writes the SQL of queries."""
    from metricflow.engine.metricflow_engine import MetricFlowEngine  # noqa: PLC0415  (slow to import)
    from metricflow.protocols.sql_client import SqlClient  # noqa: PLC0415
    from metricflow_semantics.model.dbt_manifest_parser import (  # noqa: PLC0415
        parse_manifest_from_dbt_generated_manifest,
    )
    from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup  # noqa: PLC0415

    logging.getLogger("metricflow").setLevel(logging.WARNING)
    lookup = SemanticManifestLookup(parse_manifest_from_dbt_generated_manifest(manifest))
    return MetricFlowEngine(lookup, cast(SqlClient, Dialect()))


class Dialect:
    """All that MetricFlow has to know of a database that it never queries itself."""

    def __init__(self) -> None:
        from metricflow.protocols.sql_client import SqlEngine  # noqa: PLC0415
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer  # noqa: PLC0415

        self.sql_engine_type = SqlEngine.DUCKDB
        self.sql_plan_renderer = DuckDbSqlPlanRenderer()


def query(
    warehouse: Path,
    names: Sequence[str],
    *,
    by: Sequence[str] = (),
    where: Sequence[tuple[str, str]] = (),
    first: date | None = None,
    last: date | None = None,
    with_changes: bool = False,
) -> Answer:
    """Ask a published warehouse for metrics, by dimensions and periods.

    Args:
        names: of metrics.
        by: dimensions, or one of `PERIODS`.
        where: dimension and the value it must have; an empty one stands for none.
        first: day from which on.
        last: day up to which, that day too.
        with_changes: also say how each metric changed from the period before, with the 95 % limits of that.

    An answer by one period says of each how much of what the pixel saw has its event (`completeness`), whether the data
    covers it (`is_complete`), whether it is sealed (`is_sealed`) and, where a metric grows while touches earn,
    whether it is older than the attribution window (`is_mature`).

    Raises:
        BadUse: a metric or dimension is not known; the message names those that are. Or changes are asked for by no
            period, or by several.
    """
    with opened(warehouse) as con:
        return ask(
            con, read_manifest(con), names, by=by, where=where, first=first, last=last, with_changes=with_changes
        )  # fmt: skip


def ask(
    con: duckdb.DuckDBPyConnection,
    manifest: str,
    names: Sequence[str],
    *,
    by: Sequence[str] = (),
    where: Sequence[tuple[str, str]] = (),
    first: date | None = None,
    last: date | None = None,
    with_changes: bool = False,
) -> Answer:
    """Ask an open warehouse for metrics as a manifest defines them; see `query`."""
    refuse_odd_days(first, last)
    known_metrics = read_metrics(manifest)
    dimensions = shared_dimensions(known_metrics, names)
    refuse_unknown_dimensions(names, by, where, dimensions)
    # Asked for twice is asked for once.
    names, by = list(dict.fromkeys(names)), list(dict.fromkeys(by))
    grain = periods.grain_of(by)
    if with_changes and not grain:
        raise BadUse("a change is from one period to the next", f"Ask by one of {', '.join(PERIODS)}")
    if grain:
        first, last = periods.whole(first, last, grain)
    money = [name for name in names if name in MONEY]
    chances = periods.with_variances(names, known_metrics) if with_changes else names
    unrated = {name: known for name in names if (known := unrated_by(name)) != name and known in known_metrics}
    asked_for = list(dict.fromkeys([*chances, *(["unrated_orders"] if money else []), *unrated.values()]))
    groups = {name: f"{TIME}__{PERIODS[name]}" if name in PERIODS else dimensions[name] for name in by}
    # What has no such dimension is no part of an answer by it.
    partial = partial_dimensions(manifest)
    within = [named(known) + " is not null" for known in groups.values() if known in partial]
    used = {*groups.values(), *(dimensions[name] for name, _ in where)}
    unknown = None if used.isdisjoint(partial) else last_unknown(con)
    asked = write_sql(
        make_engine(manifest),
        asked_for,
        groups=list(groups.values()),
        conditions=[condition(dimensions[name], value) for name, value in where] + within,
        first=periods.before(first, grain) if first and with_changes else first,
        last=last,
    )
    columns = answered(groups, chances, unrated, has_money=bool(money))
    # Periods come in their order; of what has no order of its own, the most comes first.
    times = [f'"{name}"' for name in by if name in PERIODS]
    others = [f'"{name}"' for name in by if name not in PERIODS]
    order = ", ".join([*times, f'"{names[0]}" desc nulls last', *others])
    # Several metrics of a week or longer come once for each of its days: MetricFlow joins its days and does not group.
    whole = f"select distinct {', '.join(columns)} from (\n{asked}\n)"
    if grain:
        whole = periods.known_after(whole, by, chances, unknown) if unknown else whole
        whole = periods.told(
            whole, by, names, first=first, last=last, with_changes=with_changes,
            chances={name for name in names if name + periods.VARIANCE in known_metrics},
            attributed={name for name in names if known_metrics[name].is_attributed},
            money=money,
        )  # fmt: skip
    whole += f"\norder by {order}"
    found = con.execute(whole)
    shown_as, rows = [column[0] for column in found.description or ()], found.fetchall()
    return Answer(shown_as, rows, whole.replace('"build".', ""), seen_share(con, first, last), first, last, unknown)


def answered(
    groups: Mapping[str, str], names: Sequence[str], unrated: Mapping[str, str], *, has_money: bool
) -> list[str]:
    """Say in SQL the columns of an answer: dimensions, metrics, and whether all its orders have a rate.

    Args:
        groups: MetricFlow's column of each dimension.
        names: the metrics.
        unrated: of those that are unknown where something has no rate, the metric that counts it.
        has_money: whether a metric is made of orders' amounts.
    """
    columns = [
        f'cast("{column}" as date) as "{name}"' if name in PERIODS else f'"{column}" as "{name}"'
        for name, column in groups.items()
    ]
    for name in names:
        known = f'case when coalesce("{unrated[name]}", 0) = 0 then "{name}" end as ' if name in unrated else ""
        columns.append(f'{known}"{name}"')
    return columns + ([f'coalesce("unrated_orders", 0) = 0 as "{periods.RATED}"'] if has_money else [])


def unrated_by(name: str) -> str:
    """Name the metric that counts what has no rate to the reporting currency and is left out of another.

    Of costs and of what touches earn a part without a rate makes the sum unknown, as it does their ratio.
    """
    return "unrated_costs" if name == "cost" else name.replace("attributed_revenue", "unrated_revenues")


def refuse_unknown_dimensions(
    names: Sequence[str], by: Sequence[str], where: Sequence[tuple[str, str]], dimensions: Collection[str]
) -> None:
    """Refuse a dimension by which not all of some metrics can be asked; periods are no conditions.

    Raises:
        BadUse: the message names it and those that there are.
    """
    for name in [*by, *(dimension for dimension, _ in where)]:
        if name not in dimensions and (name not in PERIODS or name not in by):
            known = ", ".join([*PERIODS, *dimensions])
            raise BadUse(f"{', '.join(names)}: there is no dimension {name!r}", f"It is {known}")


def last_unknown(con: duckdb.DuckDBPyConnection) -> date | None:
    """Name the last day whose events are gone; None while none are."""
    try:
        ((last,),) = con.execute("select max(date) from build.quality.sealed_days where not has_events").fetchall()
    except duckdb.BinderException:  # Published by a version before.
        return None
    return last  # type: ignore[no-any-return]


def seen_share(con: duckdb.DuckDBPyConnection, first: date | None, last: date | None) -> float | None:
    """Say how much of what the pixel saw on some days has its event."""
    seen = periods.select_seen([], "$first::date", "$last::date")
    ((share,),) = con.execute(seen, {"first": first, "last": last}).fetchall()
    return None if share is None else float(share)


def refuse_odd_days(first: date | None, last: date | None) -> None:
    """Refuse days that no log can have, and a last one before the first.

    Raises:
        BadUse: the message names them.
    """
    for day in (first, last):
        if day is not None and not EARLIEST <= day <= LATEST:
            raise BadUse(f"{day} is no day of any log", f"Give days from {EARLIEST} to {LATEST}")
    if first and last and last < first:
        raise BadUse(f"the last day ({last}) is before the first ({first})", "Turn them round")


def shared_dimensions(known: dict[str, Metric], names: Sequence[str]) -> dict[str, str]:
    """Find the dimensions by which all of some metrics can be asked.

    Raises:
        BadUse: a metric is not known.
    """
    for name in names:
        if name not in known:
            alike = [one for one in sorted(known) if one.startswith(name)] or get_close_matches(name, sorted(known), 3)
            hint = f"Do you mean {', '.join(alike[:8])}? " if alike else ""
            raise BadUse(f"there is no metric {name!r}", f"{hint}Without a metric all {len(known)} are listed")
    first, *others = (known[name].dimensions.items() for name in names)
    return {name: qualified for name, qualified in first if all((name, qualified) in other for other in others)}


def condition(dimension: str, value: str) -> str:
    """Write that a dimension has a value, as MetricFlow wants it: SQL in Jinja, so a value's own braces are named."""
    literal = value.replace("'", "''").replace("{", "\0").replace("}", "{{ '}' }}").replace("\0", "{{ '{' }}")
    return f"{named(dimension)} = '{literal}'" if value else f"{named(dimension)} is null"


def named(dimension: str) -> str:
    """Name a dimension in a condition."""
    return "{{ Dimension('" + dimension + "') }}"


def write_sql(
    engine: "MetricFlowEngine",
    names: Sequence[str],
    *,
    groups: Sequence[str],
    conditions: Sequence[str],
    first: date | None,
    last: date | None,
) -> str:
    """Let MetricFlow write a query."""
    from metricflow.engine.metricflow_engine import MetricFlowQueryRequest  # noqa: PLC0415

    request = MetricFlowQueryRequest.create(
        metric_names=list(names),
        group_by_names=list(groups),
        where_constraints=list(conditions) or None,
        time_constraint_start=datetime.combine(first, time.min) if first else None,
        time_constraint_end=datetime.combine(last, time.min) if last else None,
    )
    return engine.explain(request).sql_statement.sql


def shown(value: Any, column: str = "") -> str:
    """Write a value for people; a CSV has every digit. How much was seen is a percentage, or said to be unknown."""
    if column == "completeness":
        return "unknown" if value is None else f"{value:.2%}"
    if isinstance(value, Decimal):
        return f"{value:,.2f}" if value != int(value) else f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
