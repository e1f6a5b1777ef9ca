"""What goes wrong, or is asked for: blockers, nets, disks, clocks, consent."""

import asyncio

from collector.demo.scenarios.registry import QUIET, MakeVisit, scenario
from collector.demo.scene import SITE
from collector.demo.truth import BOTH, NEITHER, PIXEL, TRACKER


@scenario(short=True)
async def tracker_blocked(make: MakeVisit) -> None:
    visit = make("tracker_blocked")
    page = await visit.browse()
    visit.trackers.become("down")
    await visit.go(page, "/tracker-blocked/a", PIXEL)
    await visit.go(page, "/tracker-blocked/b", PIXEL)


@scenario(short=True)
async def pixel_blocked(make: MakeVisit) -> None:
    visit = make("pixel_blocked")
    page = await visit.browse()
    visit.pixels.become("down")
    await visit.go(page, "/", TRACKER)
    await visit.go(page, "/product", TRACKER)
    visit.truth.expected = {"sessions": 1}


@scenario(short=True)
async def no_javascript(make: MakeVisit) -> None:
    visit = make("no_javascript")
    page = await visit.browse(java_script_enabled=False)
    for path in ("/no-script/a", "/no-script/b"):
        await page.goto(f"https://{SITE}{path}", wait_until="load")
        visit.see("", path, PIXEL, is_delivered=True)


@scenario(short=True)
async def endpoint_down(make: MakeVisit) -> None:
    visit = make("endpoint_down")
    page = await visit.browse()
    await visit.go(page, "/")
    visit.trackers.become("down")
    for number in range(3):
        await visit.route(page, f"/while-down/{number}")
    visit.trackers.become("up")
    # What waits is sent with the next event, not by time.
    await visit.route(page, "/up-again")
    visit.truth.expected = {"sessions": 1}


@scenario(short=True)
async def answer_lost(make: MakeVisit) -> None:
    visit = make("answer_lost")
    page = await visit.browse()
    await visit.go(page, "/")
    visit.trackers.become("deaf")
    await visit.route(page, "/answer-lost")
    await asyncio.sleep(QUIET)
    visit.trackers.cut()
    visit.trackers.become("up")
    await visit.route(page, "/heard")
    visit.truth.expected = {"sessions": 1, "has_duplicates": True}


@scenario(short=True, alone=True)
async def nearly_full_disk(make: MakeVisit) -> None:
    visit = make("nearly_full_disk")
    page = await visit.browse()
    await visit.go(page, "/")
    visit.scene.refuse(True)
    visit.is_heard = False
    # The pixel refuses too, and logs that it was asked: the page was seen.
    await visit.route(page, "/while-full")
    visit.is_heard = True
    visit.scene.refuse(False)
    await visit.route(page, "/taken-again")
    visit.truth.expected = {"sessions": 1}


@scenario()
async def both_blocked(make: MakeVisit) -> None:
    visit = make("both_blocked")
    page = await visit.browse()
    visit.trackers.become("down")
    visit.pixels.become("down")
    await visit.go(page, "/nobody-sees", NEITHER)


@scenario()
async def offline(make: MakeVisit) -> None:
    visit = make("offline")
    page = await visit.browse()
    await visit.go(page, "/")
    await visit.contexts[0].set_offline(True)
    visit.is_heard = False
    await visit.route(page, "/offline", TRACKER)
    await visit.contexts[0].set_offline(False)
    visit.is_heard = True
    await visit.route(page, "/online")
    visit.truth.expected = {"sessions": 1}


@scenario()
async def left_at_once(make: MakeVisit) -> None:
    visit = make("left_at_once")
    page = await visit.browse()
    for number in range(3):
        await page.goto(f"https://{SITE}/at-once/{number}", wait_until="load")
        visit.see(str(await page.evaluate("bh.page")), f"/at-once/{number}", BOTH)
    await visit.settle(page)


@scenario()
async def consent_refused(make: MakeVisit) -> None:
    visit = make("consent_refused")
    page = await visit.browse()
    await visit.go(page, "/none/refused", NEITHER)


@scenario()
async def consent_given_half_way(make: MakeVisit) -> None:
    visit = make("consent_given_half_way")
    page = await visit.browse()
    await visit.go(page, "/none/a", NEITHER)
    await page.evaluate("bh.allow()")
    await visit.note(page)
    visit.truth.views.pop(0)
    visit.truth.expected = {"sessions": 1}


@scenario()
async def anonymous(make: MakeVisit) -> None:
    visit = make("anonymous")
    page = await visit.browse()
    await page.goto(f"https://{SITE}/anonymous/a", wait_until="load")
    await asyncio.sleep(QUIET)
    visit.see(str(await page.evaluate("bh.page")), "/anonymous/a", BOTH)
    visit.truth.cookies = len(await visit.contexts[0].cookies())
    visit.truth.expected = {"sessions": 0, "cookies": 0}


@scenario()
async def asks_for_privacy(make: MakeVisit) -> None:
    visit = make("asks_for_privacy")
    page = await visit.browse(extra_http_headers={"Sec-GPC": "1"})
    await visit.go(page, "/")
    await visit.go(page, "/product")
    visit.truth.expected = {"sessions": 1}


@scenario()
async def wrong_clock(make: MakeVisit) -> None:
    visit = make("wrong_clock")
    page = await visit.browse()
    await page.clock.install(time="2019-05-05T05:05:05Z")
    await page.goto(f"https://{SITE}/", wait_until="load")
    await page.clock.fast_forward(1000)
    await asyncio.sleep(QUIET)
    visit.see(str(await page.evaluate("bh.page")), "/", BOTH)
    visit.truth.expected = {"sessions": 1}


@scenario()
async def foreign_page(make: MakeVisit) -> None:
    visit = make("foreign_page")
    page = await visit.browse()
    await page.goto("https://partner.example/copied", wait_until="load")
    await asyncio.sleep(QUIET)
    visit.see(str(await page.evaluate("bh.page")), "/copied", PIXEL)
