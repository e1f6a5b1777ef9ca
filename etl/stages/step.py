"""Steps: pure functions in SQL, from named relations to named relations.

A step's statements stand in a file of their own. They see the relations that the step takes, under these names and
with these columns alone, and leave those that it gives; whatever else they make goes when they end. So a step can be
run whole, in rounds of a hash of its key, or by itself with plain tables.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from etl.lake import sql
from etl.lake.engine import run_file

SCOPES = itertools.count(1)
"""Each run of a step has a schema of its own, so that no two relations of a connection have one name."""

Given: TypeAlias = "str | pa.Table"
"""A relation as a step is given it: what can stand after `from`, or a table."""


@dataclass(frozen=True)
class Step:
    """A pure function in SQL.

    Attributes:
        takes: the columns of each relation it sees.
        gives: the columns of each relation it leaves.
        by: the key whose groups know nothing of each other. A relation without it is seen whole by each group.
    """

    file: Path
    takes: Mapping[str, pa.Schema]
    gives: Mapping[str, pa.Schema]
    by: tuple[str, ...] = ()

    def run(
        self, con: duckdb.DuckDBPyConnection, given: Mapping[str, Given], *, rounds: int = 1, **values: object
    ) -> dict[str, str]:
        """Run the step; return by what name each relation that it gives is known to the connection.

        Args:
            rounds: into how many shares of its key's groups the work is cut, so that each fits into memory.
            values: what the statements name as `$name`.
        """
        assert given.keys() == self.takes.keys(), f"{self.file.name} takes {sorted(self.takes)}"
        assert rounds == 1 or self.by, f"{self.file.name} has no key to be cut by"
        total: dict[str, str] = {}
        for number in range(rounds):
            made = self.run_share(con, given, rounds, number, values)
            if not total:
                total = made
                continue
            for name in self.gives:
                con.execute(f"insert into {total[name]} select * from {made[name]}")
                con.execute(f"drop table {made[name]}")
        return total

    def run_share(
        self, con: duckdb.DuckDBPyConnection, given: Mapping[str, Given], rounds: int, number: int,
        values: Mapping[str, Any],
    ) -> dict[str, str]:  # fmt: skip
        """Run the step on one share of its key's groups."""
        scope = f"{self.file.stem}_{next(SCOPES)}"
        con.execute(f"create schema {scope}")
        con.execute(f"set schema = '{scope}'")
        for name, source in given.items():
            columns = [sql.name(column) for column in self.takes[name].names]
            relation = source
            if isinstance(source, pa.Table):
                relation = f"{scope}_{name}"
                con.register(relation, source)
            share = ""
            if rounds > 1 and set(self.by) <= set(self.takes[name].names):
                share = f"where hash({', '.join(self.by)}) % {rounds} = {number}"
            con.execute(f"create view {scope}.{name} as select {', '.join(columns)} from {relation} {share}")
        run_file(con, self.file, **values)
        con.execute("set schema = 'main'")
        tables = con.execute("select table_name from duckdb_tables() where schema_name = $scope", {"scope": scope})
        for (name,) in tables.fetchall():
            if name not in self.gives:
                con.execute(f"drop table {scope}.{name}")
        return {name: f"{scope}.{name}" for name in self.gives}


def columns(schema: pa.Schema, *names: str) -> pa.Schema:
    """Take some columns of a schema."""
    return pa.schema([schema.field(name) for name in names])


def without(schema: pa.Schema, *names: str) -> pa.Schema:
    """Take all columns of a schema but some."""
    return pa.schema([field for field in schema if field.name not in names])


def content_of(con: duckdb.DuckDBPyConnection, relation: str) -> str | None:
    """Name the rows of a relation, in whatever order they are; None when there are none."""
    return contents_by(con, relation, "null").get(None)


def contents_by(con: duckdb.DuckDBPyConnection, relation: str, key: str) -> dict[Any, str]:
    """Name the rows of each group of a relation: how many they are, and the sum of their hashes."""
    return {
        group: f"{count:x}-{total:x}"
        for group, count, total in con.execute(
            "select key, count(*), sum(md5_number_lower(text))"
            f" from (select {key} as key, cast(to_json(rows) as varchar) as text from {relation} as rows)"
            " group by key"
        ).fetchall()
    }
