"""Compare lists of crawlers on user agents whose kind is known: recall, people called bots, time.

    python -m benchmarks.user_agents LABELLED.csv [--browsers BROWSERS.txt ...]

The labelled file has the columns `user_agent,is_bot`. A file of browsers has one user agent a line, all of people: a
list that was tuned on the labelled people (isbot's own cases among them) shows there what it is worth. Other lists are
compared where they are installed: `uv pip install crawler-user-agents crawlerdetect device-detector counter-robots`.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from is_bot import Bots

from etl.enrich.user_agents import bot_reason

Judge = Callable[[str], object]


def lists() -> Iterator[tuple[str, Judge]]:
    """Name each list that is there, with its judgement."""
    yield "bloodhound: declared", lambda text: bot_reason(text) == "declared"
    yield "bloodhound: declared or malformed_ua", bot_reason
    yield "is-bot (isbot), as it is", Bots().is_bot
    yield "ua-parser, device Spider", is_spider
    for module, judge in (
        ("crawleruseragents", lambda found: found.is_crawler),
        ("crawlerdetect", lambda found: found.CrawlerDetect().isCrawler),
        ("device_detector", lambda found: lambda text: found.DeviceDetector(text).parse().is_bot()),
        ("counter_robots", lambda found: found.is_robot),
    ):
        try:
            yield module, judge(import_module(module))
        except ImportError:
            continue


def is_spider(text: str) -> bool:
    """Say whether ua-parser calls the device a spider."""
    device = import_module("ua_parser").parse(text).device
    return device is not None and device.family == "Spider"


def share(judge: Judge, agents: list[str]) -> float:
    """The share of user agents that a list calls bots."""
    return sum(bool(judge(text)) for text in agents) / max(len(agents), 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--browsers", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    with arguments.labelled.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    bots = [row["user_agent"] for row in rows if row["is_bot"] == "1"]
    people = {"people": [row["user_agent"] for row in rows if row["is_bot"] == "0"]}
    people |= {path.stem: path.read_text(encoding="utf-8").splitlines() for path in arguments.browsers}
    heads = ["list", f"recall of {len(bots):,} bots"]
    heads += [f"of {len(agents):,} {name} called bots" for name, agents in people.items()]
    print("| " + " | ".join([*heads, "µs an agent"]) + " |")
    print("| --- |" + " ---: |" * len(heads))
    for name, judge in lists():
        started = time.perf_counter()
        recall = share(judge, bots)
        each = (time.perf_counter() - started) / max(len(bots), 1) * 1e6
        cells = [f"{recall:.1%}", *(f"{share(judge, agents):.2%}" for agents in people.values()), f"{each:,.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
