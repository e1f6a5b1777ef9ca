"""Questions that people ask of the page, and what somebody who clicks finds out, beside what the warehouse says."""

import re
import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from builders.reader import Reader

FORMS = {
    "count": lambda value: f"{value:,.0f}",
    "number": lambda value: f"{value:,.1f}".removesuffix(".0"),
    "money": lambda value: f"${value:,.2f}" if value and value < 100 else f"${value:,.0f}",
    "rate": lambda value: f"{100 * value:.1f} %" if value < 0.0995 else f"{100 * value:.0f} %",
    "times": lambda value: f"{value:.2f}\N{MULTIPLICATION SIGN}",
    "seconds": lambda value: f"{value:.0f} s",
    "text": str,
}
"""How the page writes an answer."""


@dataclass(frozen=True)
class Question:
    """What somebody wants to know; with `instead` they get it elsewhere."""

    person: str
    home: str
    ask: str
    sql: str
    width: int = 1280
    clicks: tuple[str, ...] = ()
    place: str = ""
    form: str = "count"
    instead: str = ""

    @property
    def name(self) -> str:
        """A name for files and tests."""
        return f"{self.person}-{re.sub('[^a-z0-9]+', '-', self.ask.lower()).strip('-')}"


@dataclass(frozen=True)
class Answer:
    """What the page said: the answer, after how many clicks and seconds, how many screens down."""

    question: Question
    said: str
    seconds: float = 0.0
    screens: float = 0.0


def read_questions(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str], list[Question]]:
    """Read the homes' periods, the people's names, and what they ask."""
    content = tomllib.loads(path.read_text())
    people = content["people"]
    found = [
        Question(**one | {"clicks": tuple(one.get("clicks", ())), "width": people[one["person"]].get("width", 1280)})
        for one in content["question"]
    ]
    return content["homes"], {person: said["name"] for person, said in people.items()}, found


def expected(warehouse: Path, question: Question, days: dict[str, date]) -> str:
    """Ask the warehouse, and write it as the page would."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        given = {name: value for name, value in days.items() if f"${name}" in question.sql}
        ((value,),) = con.execute(question.sql, given).fetchall()
    return FORMS[question.form](value)


def is_said(wanted: str, said: str) -> bool:
    """Say whether an answer stands in a text, and not as part of another number or word."""
    plain = wanted.replace("\u2212", "-")
    return re.search(rf"(?<![\w.,$]){re.escape(plain)}(?![\d\w]|[.,]\d)", said) is not None


def ask(reader: Reader, question: Question) -> Answer:
    """Click as somebody does, and read the place where the answer stands."""
    began = time.monotonic()
    reader.page.reload()
    reader.settle()
    for click in question.clicks:
        listed, _, value = click.partition(" = ")
        if value:
            reader.page.select_option(listed, value)
        else:
            reader.page.click(click)
    reader.settle()
    place = reader.page.locator(question.place).first
    said = place.inner_text()
    seconds = time.monotonic() - began
    top = (place.bounding_box() or {"y": 0})["y"] + reader.page.evaluate("scrollY")
    place.scroll_into_view_if_needed()
    return Answer(question, said, seconds, top / 900)


def table(answers: Iterable[Answer], people: dict[str, str]) -> str:
    """Write what was asked and answered as tables of Markdown, one a person."""
    answers = list(answers)
    parts = []
    for person, name in people.items():
        rows = [
            f"| {one.question.ask} | {one.question.home} | {len(one.question.clicks)} | {one.said} |"
            if not one.question.instead
            else f"| {one.question.ask} | {one.question.home} | - | not on the page: `{one.question.instead}` |"
            for one in answers
            if one.question.person == person
        ]
        parts.append("\n".join([f"**{name}**", "", "| asks | of | clicks | answer |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"
