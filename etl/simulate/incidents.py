"""Planted incidents: what more is lost, of whom, on the way to which collector."""

import numpy as np

from etl.simulate import people, world
from etl.simulate.plan import Plan
from etl.simulate.scene import TRACKER_NAMES, Scene
from etl.simulate.text import SECOND, Floats


def incident_loss(plan: Plan, scene: Scene) -> dict[int, Floats]:
    """Give each message's extra loss on its way to each collector."""
    incidents = plan.incidents
    if not incidents:
        return {}
    at, session = scene.actions.at, scene.session
    platform, tracker = scene.sessions.platform, scene.tracker
    kept = {host: np.ones(len(at)) for host in range(len(world.COLLECTORS))}
    for incident in incidents:
        hit = np.ones(len(at), dtype=bool)
        if incident.start is not None:
            hit &= at >= incident.start.timestamp() * SECOND
        if incident.end is not None:
            hit &= at < incident.end.timestamp() * SECOND
        if incident.platform is not None:
            hit &= (np.array(world.PLATFORMS) == incident.platform)[platform][session]
        if incident.tracker is not None:
            hit &= (np.array(TRACKER_NAMES) == incident.tracker)[tracker][session]
        if incident.browser is not None:
            named = np.array([incident.browser in name for name in people.agent_names()])
            hit &= named[scene.agent][session]
        for host, survival in kept.items():
            if incident.host in (None, world.COLLECTORS[host]):
                survival[hit] *= 1 - incident.loss
    return {host: 1 - survival for host, survival in kept.items()}
