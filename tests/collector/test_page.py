"""The page's side in a real browser: which views reach which witness, and what is said of whom."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.collector import waited
from playwright.async_api import async_playwright

from collector.demo.scenarios import people, registry, trouble
from collector.demo.scene import Scene, set_up, tear_down
from collector.demo.truth import Truth, View
from collector.demo.visit import DESKTOP, Visit

PAGE_ID = re.compile(r"[?&]e=([^& ]+)")


@pytest.fixture(scope="module")
def scene(nginx: str, bundled: Path, chromium: str, place: Path) -> Iterator[Scene]:
    """A shop and a collector."""
    made = set_up(place / "scene")
    yield made
    tear_down(made)


def played(scene: Scene, act: registry.Act, address: str) -> list[Truth]:
    """Play a scenario; return the truth of its visits, each at an address of its own."""
    visits: list[Visit] = []

    async def play() -> None:
        async with async_playwright() as driver:

            def make(name: str, *, agent: str | None = DESKTOP, **_: Any) -> Visit:
                visits.append(Visit(scene, driver, Truth(name, f"{address}.{len(visits) + 1}"), agent))
                return visits[-1]

            await act(make)
            for visit in visits:
                await visit.leave()

    asyncio.run(play())
    return [visit.truth for visit in visits]


def lines(scene: Scene, witness: str) -> list[str]:
    """Read what a witness wrote, where it is now."""
    folders = (scene.settings.live(witness), scene.settings.folder / "closed" / witness)
    return [line for folder in folders for path in folder.iterdir() for line in path.read_text().splitlines()]


def events(scene: Scene, address: str) -> list[dict[str, Any]]:
    """Read the events that were taken of an address."""
    said = [json.loads(line) for line in lines(scene, "tracker")]
    taken = [line for line in said if line["remote_addr"] == address and line["status"] == "200" and line["body"]]
    return [event for line in taken for event in json.loads(line["body"])["data"]]


def page_of(event: dict[str, Any]) -> str:
    entities = json.loads(event["co"])["data"]
    return str(next(entity["data"]["id"] for entity in entities if "/web_page/" in entity["schema"]))


def seen_by(scene: Scene, view: View) -> set[str]:
    """Say who saw a page."""
    bodies = "".join(line for line in lines(scene, "tracker") if '"status":"200"' in line)
    hits = {found[1] for line in lines(scene, "pixel") if (found := PAGE_ID.search(line))}
    return {name for name, has in (("tracker", view.page_id in bodies), ("pixel", view.page_id in hits)) if has}


@pytest.mark.parametrize(
    ("act", "address"),
    [
        (people.phone_back_and_reload, "203.0.113"),
        (trouble.tracker_blocked, "203.0.114"),
        (trouble.pixel_blocked, "203.0.115"),
        (trouble.answer_lost, "203.0.116"),
        (trouble.foreign_page, "203.0.117"),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_each_view_is_seen_by_whom_it_can_be_seen(scene: Scene, act: registry.Act, address: str) -> None:
    (truth,) = played(scene, act, address)
    ids = [view.page_id for view in truth.views]
    assert all(ids) and len(set(ids)) == len(ids)
    assert waited(lambda: all(seen_by(scene, view) == view.witnesses for view in truth.views))


def test_who_has_given_no_consent_is_asked_by_nobody_until_he_does(scene: Scene) -> None:
    (truth,) = played(scene, trouble.consent_given_half_way, "203.0.118")
    (view,) = truth.views
    found = waited(lambda: [event for event in events(scene, "203.0.118.1") if event["e"] == "pv"])
    assert [page_of(event) for event in found] == [view.page_id]
    # From then on he is somebody.
    assert found[0]["duid"] and "/client_session/" in found[0]["co"]
    assert len([line for line in lines(scene, "pixel") if line.startswith("203.0.118.")]) == 1


def test_the_anonymous_are_nobody_and_keep_nothing(scene: Scene) -> None:
    (truth,) = played(scene, trouble.anonymous, "203.0.119")
    assert truth.cookies == 0
    found = waited(lambda: [event for event in events(scene, "203.0.119.0") if event["e"] == "pv"])
    assert not {"duid", "nuid", "uid", "vid", "sid"} & found[0].keys()
    said = [json.loads(line) for line in lines(scene, "tracker") if "203.0.119" in line]
    assert {(line["privacy"], line["network_id"]) for line in said} == {("anonymous", "")}


def test_indexes_of_a_session_are_given_once_and_without_gaps(scene: Scene) -> None:
    played(scene, people.buyer, "203.0.120")
    found: Callable[[], list[dict[str, Any]]] = lambda: events(scene, "203.0.120.1")  # noqa: E731
    waited(lambda: any("transaction" in event.get("ue_pr", "") for event in found()))
    indexes = {}
    for event in found():
        entities = json.loads(event["co"])["data"]
        session = next(entity["data"] for entity in entities if "/client_session/" in entity["schema"])
        indexes.setdefault(session["eventIndex"], set()).add(event["eid"])
    assert sorted(indexes) == list(range(1, len(indexes) + 1))
    assert all(len(ids) == 1 for ids in indexes.values())


def test_what_is_written_into_a_form_stays_there(scene: Scene) -> None:
    async def write_a_name(make: trouble.MakeVisit) -> None:
        visit = make("form")
        page = await visit.browse()
        await visit.go(page, "/")
        await page.fill("input[name=name]", "Ada Lovelace")
        await page.press("input[name=name]", "Tab")
        await visit.settle(page)

    played(scene, write_a_name, "203.0.121")
    assert waited(lambda: [event for event in events(scene, "203.0.121.1") if "change_form" in event.get("ue_pr", "")])
    assert not [line for line in lines(scene, "tracker") if "Ada" in line]
