"""What else sees the web's pages: the pixel, whose log is a second witness, and the servers that deliver them."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.simulate import wire, world
from etl.simulate.delivery import RECEIVED, Delivery
from etl.simulate.incidents import pixel_loss
from etl.simulate.plan import Plan
from etl.simulate.scene import OUTSIDE, Scene
from etl.simulate.text import Flags, Ints, join, pick, texts
from etl.simulate.truth import Views

Lines = tuple[Ints, pa.StringArray]
"""Lines of a log, with the times at which they were written."""


def fire_pixels(
    plan: Plan, end: int, scene: Scene, delivery: Delivery, blocked: Flags, rng: np.random.Generator
) -> tuple[Lines, Views]:
    """Write the pixel's log of the web pages, and say of each page which of both witnesses saw it."""
    pages, sessions = scene.pages, scene.sessions
    count, session = len(pages), pages.session
    web = sessions.platform[session] <= world.MOBILE
    first = pages.same_as == np.arange(count)
    # Visits whose messages come weeks later left no pixel in these days' logs.
    # A reload fires the pixel again; a page out of the browser's cache does not.
    on_line = sessions.age[session] == 0
    fires = web & on_line & (first | (pages.navigation == world.RELOAD)) & ~blocked[session]
    after = rng.integers(20, 200, count) + rng.exponential(150, count).astype(np.int64)
    hit_at = pages.at + after
    fires &= (rng.random(count) >= plan.pixel_loss) & (hit_at < end)
    if any(incident.pixel for incident in plan.incidents):
        # Of a generator of their own: what no incident hits is the same with and without it.
        fires &= rng.spawn(1)[0].random(count) >= pixel_loss(plan, scene)
    views = scene.actions.schema == world.PAGE_VIEW
    view_page = scene.actions.page[views]
    received = np.zeros(count, dtype=bool)
    got = delivery.status[views] == RECEIVED
    received[pages.same_as[view_page[got]]] = True
    hit = np.zeros(count, dtype=bool)
    hit[pages.same_as[fires]] = True
    counted = np.flatnonzero(web & on_line & first)
    whose = session[counted]
    seen = Views(
        pages.at[counted], sessions.app[whose], sessions.platform[whose],
        scene.is_robot[whose], hit[counted], received[counted],
    )  # fmt: skip
    row = np.flatnonzero(fires)
    mine = session[row]
    refuses = pa.array(scene.crowd.refuses(sessions.device[mine]))
    visitors = pc.if_else(refuses, "", pick(scene.visitors, mine))
    request = join(
        "/px.gif?e=", pick(scene.page_ids, row), "&a=", pick(scene.apps, mine),
        "&p=", pick(scene.platforms, mine), "&v=", visitors,
    )  # fmt: skip
    served = wire.Served(
        pick(scene.addresses, mine), hit_at[row], request, "200 43", pick(scene.urls, row), pick(scene.agents, mine),
    )  # fmt: skip
    return (hit_at[row], wire.log_lines(served)), seen


def serve_pages(scene: Scene, end: int) -> list[Lines]:
    """Write the web servers' log: every page they served, and a style sheet for each visit."""
    pages = scene.pages
    first = pages.same_as == np.arange(len(pages))
    web = scene.sessions.platform[pages.session] <= world.MOBILE
    served = first & web & (scene.sessions.age[pages.session] == 0) & (pages.navigation != world.AJAX)
    row = np.flatnonzero(served & (pages.at < end))
    mine = pages.session[row]
    own = pages.before[row] >= 0
    referrer = pa.compute.if_else(
        pa.array(own), pick(scene.urls, np.maximum(pages.before[row], 0)),
        pick(OUTSIDE, scene.came_from[mine]),
    )  # fmt: skip
    agents, addresses = pick(scene.agents, mine), pick(scene.addresses, mine)
    at = pages.at[row]
    page = wire.Served(addresses, at, pick(scene.targets, row), "200 18213", referrer, agents)
    landing = np.flatnonzero(~own)
    style = wire.Served(
        pick(addresses, landing), at[landing], texts(["/static/site.css"] * len(landing)),
        "200 40211", pick(scene.urls, row[landing]), pick(agents, landing),
    )  # fmt: skip
    return [(at, wire.log_lines(page)), (at[landing], wire.log_lines(style))]
