"""Planted incidents: what more is lost, of whom, on the way to which collector, and of the pixel's hits."""

import numpy as np

from etl.simulate import people, world
from etl.simulate.plan import Incident, Plan
from etl.simulate.scene import TRACKER_NAMES, Scene
from etl.simulate.text import SECOND, Flags, Floats, Ints


def incident_loss(plan: Plan, scene: Scene) -> dict[int, Floats]:
    """Give each message's extra loss on its way to each collector."""
    incidents = [incident for incident in plan.incidents if incident.loss]
    if not incidents:
        return {}
    at, session = scene.actions.at, scene.session
    kept = {host: np.ones(len(at)) for host in range(len(world.COLLECTORS))}
    for incident in incidents:
        hit = concerns(incident, scene, at, session)
        for host, survival in kept.items():
            if incident.host in (None, world.COLLECTORS[host]):
                survival[hit] *= 1 - incident.loss
    return {host: 1 - survival for host, survival in kept.items()}


def pixel_loss(plan: Plan, scene: Scene) -> Floats:
    """Give the extra loss of each page's pixel."""
    pages = scene.pages
    kept = np.ones(len(pages))
    for incident in plan.incidents:
        kept[concerns(incident, scene, pages.at, pages.session)] *= 1 - incident.pixel
    return 1 - kept


def concerns(incident: Incident, scene: Scene, at: Ints, session: Ints) -> Flags:
    """Say which of some moments of sessions an incident hits, whatever the host."""
    hit = np.ones(len(at), dtype=bool)
    if incident.start is not None:
        hit &= at >= incident.start.timestamp() * SECOND
    if incident.end is not None:
        hit &= at < incident.end.timestamp() * SECOND
    if incident.platform is not None:
        hit &= (np.array(world.PLATFORMS) == incident.platform)[scene.sessions.platform][session]
    if incident.tracker is not None:
        hit &= (np.array(TRACKER_NAMES) == incident.tracker)[scene.tracker][session]
    if incident.browser is not None:
        named = np.array([incident.browser in name for name in people.agent_names()])
        hit &= named[scene.agent][session]
    return hit
