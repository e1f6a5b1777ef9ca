"""What people and bots do: where they come from, what they read, what they buy."""

import json
from urllib.parse import urlencode

from collector.demo.scenarios.registry import MakeVisit, scenario
from collector.demo.scene import SITE
from collector.demo.truth import BOTH, TRACKER
from collector.demo.visit import PHONE


@scenario(short=True)
async def buyer(make: MakeVisit) -> None:
    visit = make("buyer")
    page = await visit.browse()
    await visit.go(page, "/?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=abc123")
    await visit.go(page, "/product")
    await visit.go(page, "/cart")
    await visit.go(page, "/thanks?order=o-1&revenue=59.90")
    visit.truth.orders["o-1"] = "59.90"
    await visit.buy_at_backend(await visit.visitor(page), "o-1", 59.90)
    visit.truth.expected = {"platform": "desktop_web", "channel": "Paid Search", "sessions": 1, "is_bot": False}


@scenario(short=True)
async def phone_back_and_reload(make: MakeVisit) -> None:
    visit = make("phone_back_and_reload", agent=PHONE)
    page = await visit.browse()
    first = await visit.go(page, "/?utm_source=news&utm_medium=email&utm_campaign=nov")
    await page.evaluate("window.isKept = true")
    await visit.go(page, "/product")
    await page.evaluate("history.back()")
    await page.wait_for_function("first => window.bh && bh.page !== first && location.pathname === '/'", arg=first)
    await visit.note(page)
    # A document that the browser kept is viewed again, of which its navigation entry says nothing; one that it had no
    # memory for is loaded anew.
    came_back = "ajax" if await page.evaluate("Boolean(window.isKept)") else "back_forward"
    await page.reload()
    await visit.note(page)
    kinds = ["navigate", "navigate", came_back, "reload"]
    visit.truth.expected = {"platform": "mobile_web", "channel": "Email", "sessions": 1, "navigations": kinds}


@scenario(short=True)
async def app_of_one_document(make: MakeVisit) -> None:
    visit = make("app_of_one_document")
    page = await visit.browse()
    await visit.go(page, "/", referrer="https://www.google.com/")
    for number in range(4):
        await visit.route(page, f"/reviews/{number}")
    kinds = ["navigate", "ajax", "ajax", "ajax", "ajax"]
    visit.truth.expected = {
        "platform": "desktop_web", "channel": "Organic Search", "sessions": 1, "navigations": kinds,
    }  # fmt: skip


@scenario(short=True)
async def reader(make: MakeVisit) -> None:
    visit = make("reader")
    page = await visit.browse()
    await visit.go(page, "/article")
    await visit.read(page, 17)
    await visit.settle(page)
    # After five seconds the tracker says that somebody is there, and every ten seconds after that.
    visit.truth.expected = {"sessions": 1, "engaged_seconds": 15}


@scenario(short=True)
async def two_devices_of_one_person(make: MakeVisit) -> None:
    desktop, phone = make("two_devices_of_one_person"), make("two_devices_of_one_person", agent=PHONE)
    for visit in (desktop, phone):
        page = await visit.browse()
        await visit.go(page, "/")
        await page.evaluate("bh.tell('user', 'u-7')")
        await visit.route(page, "/account")
        visit.truth.expected = {"sessions": 1, "persons": 1}


@scenario(short=True)
async def headless_bot(make: MakeVisit) -> None:
    visit = make("headless_bot", agent=None)
    page = await visit.browse()
    await visit.go(page, "/")
    visit.truth.expected = {"is_bot": True}


@scenario()
async def two_tabs(make: MakeVisit) -> None:
    visit = make("two_tabs")
    one = await visit.browse()
    two = await visit.contexts[0].new_page()
    await visit.go(one, "/")
    await visit.go(two, "/product")
    for number in range(3):
        await visit.route(one, f"/one/{number}")
        await visit.route(two, f"/two/{number}")
    visit.truth.expected = {"sessions": 1}


@scenario()
async def sixty_fast_views(make: MakeVisit) -> None:
    visit = make("sixty_fast_views")
    page = await visit.browse()
    await visit.go(page, "/")
    for number in range(59):
        path = f"/fast/{number}"
        await page.evaluate("path => { history.pushState({}, '', path); bh.view(); }", path)
        visit.see(str(await page.evaluate("bh.page")), path, BOTH)
    await visit.settle(page, 30)
    visit.truth.expected = {"is_bot": True}


@scenario()
async def visitor_by_ipv6(make: MakeVisit) -> None:
    visit = make("visitor_by_ipv6", address="2001:db8:7::17", agent=PHONE)
    page = await visit.browse()
    await visit.go(page, "/", referrer="https://duckduckgo.com/")
    visit.truth.expected = {"sessions": 1, "channel": "Organic Search", "platform": "mobile_web"}


@scenario()
async def thanks_page_twice(make: MakeVisit) -> None:
    visit = make("thanks_page_twice")
    page = await visit.browse()
    await visit.go(page, "/thanks?order=o-2&revenue=20.00")
    await page.reload()
    await visit.note(page)
    visit.truth.orders["o-2"] = "20.00"
    visit.truth.expected = {"sessions": 1}


@scenario()
async def order_of_backend_alone(make: MakeVisit) -> None:
    visit = make("order_of_backend_alone")
    page = await visit.browse()
    await visit.go(page, "/?utm_source=facebook&utm_medium=paid_social&utm_campaign=x")
    await visit.buy_at_backend(await visit.visitor(page), "o-3", 7.5)
    visit.truth.orders["o-3"] = "7.50"
    visit.truth.expected = {"sessions": 1, "channel": "Paid Social"}


@scenario()
async def referral(make: MakeVisit) -> None:
    visit = make("referral")
    page = await visit.browse()
    await visit.go(page, "/", referrer="https://blog.example.org/")
    visit.truth.expected = {"sessions": 1, "channel": "Referral"}


@scenario()
async def click_of_bing(make: MakeVisit) -> None:
    visit = make("click_of_bing", agent=PHONE)
    page = await visit.browse()
    await visit.go(page, "/?msclkid=m1")
    visit.truth.expected = {"sessions": 1, "channel": "Paid Search"}


@scenario()
async def second_campaign(make: MakeVisit) -> None:
    visit = make("second_campaign")
    page = await visit.browse()
    await visit.go(page, "/?utm_source=news&utm_medium=email&utm_campaign=a")
    await visit.go(page, "/?utm_source=news&utm_medium=email&utm_campaign=b")
    visit.truth.expected = {"sessions": 2}


@scenario()
async def same_campaign_twice(make: MakeVisit) -> None:
    visit = make("same_campaign_twice")
    page = await visit.browse()
    await visit.go(page, "/?utm_source=news&utm_medium=email&utm_campaign=a")
    await visit.go(page, "/product?utm_source=news&utm_medium=email&utm_campaign=a")
    visit.truth.expected = {"sessions": 1, "channel": "Email"}


@scenario()
async def email_open(make: MakeVisit) -> None:
    visit = make("email_open")
    opened = {
        "schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        "data": {"schema": "iglu:dev.bloodhound/email_open/jsonschema/1-0-0", "data": {"campaign": "nov"}},
    }
    said = {"e": "ue", "p": "email", "aid": "shop", "tv": "mail", "duid": "m-1", "ue_pr": json.dumps(opened)}
    await visit.ask("/i?" + urlencode(said))
    visit.truth.expected = {"events": 1, "sessions": 0}


@scenario()
async def bot_that_posts(make: MakeVisit) -> None:
    visit = make("bot_that_posts", agent="curl/7.88.1")
    view = {
        "e": "pv",
        "p": "web",
        "aid": "shop",
        "tv": "curl",
        "duid": "c-1",
        "url": f"https://{SITE}/curl",
        "eid": "c",
    }
    await visit.ask("/i?" + urlencode(view))
    visit.see("c", "/curl", TRACKER)
    visit.truth.expected = {"is_bot": True}
