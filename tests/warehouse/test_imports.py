"""What reads the published warehouse starts at once: it loads neither parsers nor statistics nor settings."""

import json
import subprocess
import sys

import pytest

from etl.settings import PROJECT

# Beside duckdb, which each of them opens the warehouse with.
LOADED = {
    "summary": {"etl.errors", "etl.lake", "etl.lake.published"},
    "metrics": {"etl.errors", "etl.lake", "etl.lake.sql", "etl.warehouse.periods", "orjson"},
    "export": {"etl.errors", "xlsxwriter"},
    "mail.compose": {"vl_convert", "etl.warehouse.mail", "etl.warehouse.mail.pictures", "etl.warehouse.figures"},
    "mail.post": {"etl.errors", "etl.warehouse.mail"},
}
LISTED = """
import json, sys
import duckdb
before = set(sys.modules)
import etl.warehouse.{reader}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("reader", LOADED)
def test_a_reader_loads_what_it_needs_and_no_more(reader: str) -> None:
    code = LISTED.format(reader=reader)
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    ours_and_others = {
        name if name.startswith("etl") else name.partition(".")[0]
        for name in json.loads(done.stdout)
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert ours_and_others == {"etl", "etl.warehouse", f"etl.warehouse.{reader}"} | LOADED[reader]
