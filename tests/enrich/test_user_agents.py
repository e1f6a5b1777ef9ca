"""User agents: which are bots by their own word, which are malformed, and which are people."""

import csv
import random
import re
import time
from collections.abc import Iterable

import pytest
import regex
from builders import shared
from is_bot import Bots

from etl.enrich.user_agents import LONGEST_READ, NAMES, OVERLOOKED, bot_reason, bot_reasons, describe_one
from etl.simulate.agents import declared_bots, desktop, mobile
from etl.vocabulary.bot_rules import RULES

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
ANDROID = "Mozilla/5.0 (Linux; Android {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Googlebot/2.1",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/131.0.0.0 Mobile Safari/537.36 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        CHROME.replace("Chrome/", "HeadlessChrome/"),
        "curl/8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0",
        "python-requests/2.31.0",
        "Microsoft Office Excel 2013",
        "Baiduspider" + "+" * 500,
    ],
)
def test_bot_that_says_so_is_declared_whatever_its_length(user_agent: str) -> None:
    assert bot_reason(user_agent) == "declared"


@pytest.mark.parametrize("user_agent", [None, "", "-", "Mozilla/5.0", "x" * 24, "x" * 401, CHROME + " " * 400])
def test_user_agent_that_names_nothing_and_is_missing_short_or_long_is_malformed(user_agent: str | None) -> None:
    assert bot_reason(user_agent) == "malformed_ua"


def test_length_counts_to_the_character() -> None:
    stem = "Mozilla/5.0 (X11; U) Lynx"
    assert (len(stem), bot_reason(stem), bot_reason(stem[:-1])) == (25, None, "malformed_ua")
    assert bot_reason(CHROME.ljust(400, "~")) is None
    assert bot_reason(CHROME.ljust(401, "~")) == "malformed_ua"


@pytest.mark.parametrize(
    "model", ["10; K", "6.0; B BOT 550 Build/MRA58K", "13; Spider 8", "4.2.2; Discovery2 Build/JDQ39"]
)
def test_phone_is_no_bot_for_its_name(model: str) -> None:
    assert bot_reason(ANDROID.format(model)) is None


def test_bot_that_poses_as_a_phone_is_found_beside_the_model() -> None:
    assert bot_reason(ANDROID.format("10; K; compatible; SomeBot/1.0; +https://some.example/bot")) == "declared"


def test_browsers_of_people_are_never_bots() -> None:
    agents = desktop()[0] + mobile()[0]
    assert len(agents) > 3000
    assert [agent for agent, reason in zip(agents, bot_reasons(agents), strict=True) if reason] == []
    assert set(bot_reasons(declared_bots()[0])) == {"declared"}


def test_forms_are_patterns_that_the_list_still_has() -> None:
    """An upgrade of the list that rewrites one would turn "Mozilla/5.0" into a declared bot unseen."""
    assert set(RULES["declared"]["forms"]) <= set(Bots().patterns)


def test_no_user_agent_costs_time() -> None:
    hostile = [
        "a" * 10**6,
        "a/1.1" * 10**5,
        ";a" * 10**5,
        "(" * 10**6,
        "Android 1; " * 10**5,
        "Mozilla/5.0 (" + "a 1.0 " * 10**5,
    ]
    started = time.process_time()
    reasons = set(bot_reasons(hostile))
    assert time.process_time() - started < 1
    assert reasons <= {"declared", "malformed_ua"}


def test_versions_end_where_a_part_is_missing() -> None:
    described = describe_one(CHROME)
    assert (described["browser"], described["browser_version"], described["os"]) == ("Chrome", "131.0.0", "Windows")
    assert describe_one("nonsense of some length here")["browser"] is None


def test_labelled_user_agents_are_told_apart() -> None:
    """Nothing was fitted to this file; people's four misses are too short, which the contract calls malformed."""
    with shared("user_agents.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    reasons = {label: bot_reasons(row["user_agent"] for row in rows if row["is_bot"] == label) for label in "01"}
    assert sum(map(bool, reasons["1"])) / len(reasons["1"]) >= 0.95
    assert reasons["0"].count("declared") / len(reasons["0"]) <= 0.005
    assert len([reason for reason in reasons["0"] if reason]) / len(reasons["0"]) <= 0.01


def test_two_readers_of_patterns_say_what_one_says() -> None:
    """GIVEN words of real user agents in any order WHEN RE2 reads most patterns THEN it is as if `regex` read all."""
    chance = random.Random(7)
    known = [*desktop()[0][:400], *declared_bots()[0]]
    words = [word for agent in known for word in re.split(r"([ /;()])", agent)]
    mixed = ["".join(chance.choice(words) for _ in range(chance.randint(1, 12))) for _ in range(1500)]
    agents = [*known, *mixed]
    assert bot_reasons(agents) == [read_by_one(agent) for agent in agents]


def any_of(patterns: Iterable[str]) -> regex.Pattern[str]:
    return regex.compile("|".join(f"(?:{pattern})" for pattern in sorted(patterns)), regex.IGNORECASE)


NAMED, FORMED, PEOPLES = any_of(NAMES), any_of(RULES["declared"]["forms"]), any_of(RULES["declared"]["undeclared"])


def read_by_one(agent: str) -> str | None:
    """Say what makes a bot of a user agent as the definition reads, all patterns by one reader."""
    text = agent[:LONGEST_READ]
    read = OVERLOOKED.sub("", text)
    if NAMED.search(read):
        return "declared"
    if not RULES["malformed_ua"]["shortest"] <= len(text) <= RULES["malformed_ua"]["longest"]:
        return "malformed_ua"
    return "declared" if FORMED.search(read) and not PEOPLES.search(read) else None
