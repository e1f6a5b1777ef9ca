"""What the docs tell people to type, typed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml
from builders.published import publish, shop
from playwright.sync_api import Browser

from etl.settings import PROJECT, Settings
from etl.warehouse import answers
from etl.warehouse.page import definitions

READERS = ("marketing", "executives", "product", "when-numbers-look-wrong")
ASKED_BY_MARKETING = 8
QUESTION = re.compile(r"^\*\*(?P<question>[^*]+\?)\*\*.*?^```sql\n(?P<sql>.*?)^```", re.MULTILINE | re.DOTALL)


def questions(reader: str) -> list[tuple[str, str]]:
    text = (PROJECT / "docs" / f"{reader}.md").read_text()
    return [(found["question"], found["sql"]) for found in QUESTION.finditer(text)]


def statements(reader: str) -> Iterator[str]:
    """Every statement of every SQL block."""
    text = (PROJECT / "docs" / f"{reader}.md").read_text()
    for block in re.findall(r"^```sql\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (statement for statement in block.split(";") if statement.strip())


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("docs") / "bloodhound.duckdb", shop())


@pytest.mark.parametrize("reader", READERS)
def test_every_query_of_the_docs_runs(warehouse: Path, reader: str) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as con:
        for statement in statements(reader):
            con.execute(statement).fetchall()


def test_marketings_questions_each_have_their_query() -> None:
    assert len(questions("marketing")) >= ASKED_BY_MARKETING


def test_campaigns_that_pay_are_answered_by_the_marts_own_sums(warehouse: Path) -> None:
    sql = dict(questions("marketing"))["Which campaigns pay?"]
    with duckdb.connect(str(warehouse), read_only=True) as con:
        found = con.execute(sql).fetchall()
    rows = [row for row in shop()["marketing.channel_performance"] if row["model"] == "position_based"]
    assert sum(row[3] for row in found) == sum(row["cost"] for row in rows)
    assert {row[2] for row in found} == {"spring", "brand"}


def test_every_column_of_every_mart_has_a_type_and_a_meaning() -> None:
    """GIVEN the marts as the project declares them THEN the page has a full row for each column of each."""
    declared = [
        (f"{schema}.{model['name']}", column["name"])
        for path in sorted(definitions.MODELS.rglob("_*.yml"))
        if (schema := path.relative_to(definitions.MODELS).parts[0]) in definitions.SCHEMAS
        for model in yaml.safe_load(path.read_text()).get("models", [])
        if not model["name"].startswith("int_")
        for column in model.get("columns", [])
    ]
    said = [
        (part.partition("\n")[0], row[1])
        for part in definitions.dictionary().split("\n## ")[1:]
        for row in re.finditer(r"^\| `(\w+)` \| \S[^|]* \| \S.* \|$", part, re.M)
    ]
    assert len(said) > 600
    assert sorted(said) == sorted(declared)


# --- the page of the dbt project ------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the page in a home where nothing else is."""
    settings = Settings(home=tmp_path_factory.mktemp("docs") / "home")
    made = Path(answers.docs(settings)["page"])
    assert sorted(path.name for path in made.parent.iterdir()) == ["columns.md", "index.html", "tracking-plan.md"]
    assert [path.name for path in settings.home.iterdir()] == ["docs"]
    return made


def test_page_of_the_project_holds_every_model_column_and_metric(page: Path) -> None:
    text = page.read_text()
    manifest, _ = json.JSONDecoder().raw_decode(text, text.index('{"metadata": {"dbt_schema_version"'))
    models = {name.removeprefix("model.bloodhound."): node for name, node in manifest["nodes"].items()}
    files = [path.stem for suffix in ("sql", "py") for path in definitions.MODELS.rglob(f"*.{suffix}")]
    assert set(files) <= set(models) and len(files) > 90
    assert [name for name in files if not models[name]["description"].startswith("One row")] == []
    columns = [(name, column) for name in files for column in models[name]["columns"].values()]
    assert [f"{name}.{column['name']}" for name, column in columns if not column["description"].strip()] == []
    assert [name for name in files if not models[name]["columns"]] == []
    assert {"metric.bloodhound.revenue", "metric.bloodhound.attributed_revenue_markov"} <= set(manifest["metrics"])
    assert [name for name, metric in manifest["metrics"].items() if not metric["description"]] == []


def test_page_of_the_project_opens_without_a_network(page: Path, browser: Browser) -> None:
    opened = browser.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(f"{page.as_uri()}#!/model/model.bloodhound.kpi_daily")
    opened.get_by_text("One row per day between the first and the last day of data").wait_for()
    opened.close()
    assert asked and {url.partition(":")[0] for url in asked} <= {"file", "data"}
