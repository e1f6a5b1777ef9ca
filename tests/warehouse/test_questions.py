"""Five people ask ten questions each of five homes: each answer stands on the page, and is what the warehouse says."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from builders.asking import Answer, ask, expected, is_said, read_questions, table
from builders.homes import HOMES, make_home
from builders.reader import Reader, plain
from playwright.sync_api import Browser

from etl.settings import PROJECT, Settings

DOC = PROJECT / "docs" / "questions.md"
BLOCK = re.compile(r"(?<=<!-- made by tests/warehouse/test_questions.py -->\n).*?(?=<!-- end -->)", re.DOTALL)
DAYS, PEOPLE, QUESTIONS = read_questions(Path(__file__).parent / "questions.toml")
MOST_CLICKS, MOST_SECONDS = 5, 10.0


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    """The five homes, made once; BLOODHOUND_TEST_HOMES names a folder that keeps them."""
    kept = os.environ.get("BLOODHOUND_TEST_HOMES")
    root = Path(kept) if kept else tmp_path_factory.mktemp("homes")
    return {
        name: Settings(inbox=root / name / "inbox", home=root / name / "home")
        if (root / name / "home" / "report" / "index.html").exists()
        else make_home(name, root / name)
        for name in HOMES
    }


@pytest.fixture
def looks(tmp_path: Path) -> Iterator[Path]:
    """Where pictures are kept."""
    folder = Path(os.environ.get("BLOODHOUND_SCREENSHOTS", tmp_path)) / "questions"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


@pytest.mark.prove
def test_the_page_answers_in_few_clicks(
    homes: dict[str, Settings], browser: Browser, looks: Path, request: pytest.FixtureRequest
) -> None:
    """GIVEN a home, opened as it opens WHEN somebody clicks to their answer THEN it is there, and it is true."""
    answers, wrong = [], []
    for question in QUESTIONS:
        home = homes[question.home]
        wanted = expected(home.warehouse, question, DAYS[question.home])
        if question.instead:
            with duckdb.connect(str(home.warehouse), read_only=True) as con:
                found = con.execute(question.instead).fetchall()
            wrong += [f"{question.name}: the query has no rows"] * (not found)
            answers.append(Answer(question, ""))
            continue
        reader = Reader(browser, home.home / "report" / "index.html")
        reader.page.set_viewport_size({"width": question.width, "height": 900})
        given = ask(reader, question)
        reader.page.screenshot(path=looks / f"{question.name}.png")
        if not is_said(wanted, plain(given.said)) or reader.complaints:
            wrong.append(f"{question.name}: {wanted} is not in {plain(given.said)!r} {reader.complaints}")
        if given.seconds > MOST_SECONDS:
            wrong.append(f"{question.name}: took {given.seconds:.1f} s")
        answers.append(Answer(question, wanted, given.seconds, given.screens))
        reader.context.close()
    with (looks / "answers.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["person", "question", "home", "clicks", "seconds", "screens_down", "answer"])
        rows.writerows(
            [one.question.person, one.question.ask, one.question.home, len(one.question.clicks),
             round(one.seconds, 2), round(one.screens, 1), one.said]
            for one in answers
        )  # fmt: skip
    assert wrong == [], "\n".join(wrong)
    made = table(answers, PEOPLE)
    if request.config.getoption("--accept-outputs"):
        DOC.write_text(BLOCK.sub(lambda _: made, DOC.read_text()))
    assert BLOCK.findall(DOC.read_text()) == [made], "accept it by pytest --accept-outputs"


def test_each_person_asks_ten_and_the_doc_has_them() -> None:
    assert set(Counter(question.person for question in QUESTIONS).values()) == {10}
    assert {question.home for question in QUESTIONS} == set(HOMES)
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS) == 50
    assert all(len(question.clicks) <= MOST_CLICKS for question in QUESTIONS)
    (shown,) = BLOCK.findall(DOC.read_text())
    for question in QUESTIONS:
        clicks = "-" if question.instead else str(len(question.clicks))
        assert f"| {question.ask} | {question.home} | {clicks} |" in shown


def test_an_answer_is_no_part_of_another() -> None:
    assert is_said("12", "12 visits") and is_said("$1,200", "was $1,200.") and is_said("4.0 %", "(4.0 %)")
    assert not any(is_said("12", said) for said in ("112", "12,000", "1.12", "$12", "123", "12.5"))
