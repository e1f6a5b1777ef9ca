"""Requests of Snowplow's trackers."""

import base64
import json
from typing import Any
from urllib.parse import urlencode

from builders import Row, moment, request

POST = "/com.snowplowanalytics.snowplow/tp2"
VENDOR = "iglu:com.snowplowanalytics.snowplow"
NOW = str(int(moment("10:00").timestamp() * 1000))
SENT = str(int(moment("10:00:05").timestamp() * 1000))

Event = dict[str, Any]
BASE: Event = {"eid": "E", "aid": "shop", "p": "web", "tv": "js-4.6.0", "duid": "d1", "dtm": NOW, "stm": SENT}
PV: Event = BASE | {
    "e": "pv",
    "url": "https://shop.example/a?utm_source=x",
    "page": "A page",
    "refr": "https://b.example/",
}


def entity(name: str, data: Any, vendor: str = VENDOR) -> Event:
    """A self-describing JSON."""
    return {"schema": f"{vendor}/{name}/jsonschema/1-0-0", "data": data}


def described(name: str, data: Any, vendor: str = "iglu:com.acme") -> str:
    """What `ue_pr` holds."""
    return json.dumps(entity("unstruct_event", entity(name, data, vendor)))


def posted(*items: Any, received: str = "10:00:10", **keys: Any) -> Row:
    """Receive events as a POST of theirs."""
    body = json.dumps({"schema": f"{VENDOR}/payload_data/jsonschema/1-0-4", "data": list(items)})
    return request([], received, **({"path": POST, "body": body} | keys))


def contexts(*entities: Event) -> str:
    """What `co` holds."""
    return json.dumps(entity("contexts", list(entities)))


def encoded(text: str, padded: bool = False) -> str:
    """What `ue_px` and `cx` hold."""
    found = base64.urlsafe_b64encode(text.encode()).decode()
    return found if padded else found.rstrip("=")


def gotten(item: Event, received: str = "10:00:10", **keys: Any) -> Row:
    """Receive an event as a GET of its."""
    return request([], received, **({"method": "GET", "path": "/i", "query": urlencode(item), "body": ""} | keys))


def without(item: Event, *names: str) -> Event:
    return {name: value for name, value in item.items() if name not in names}


def ue(name: str, data: Any, **keys: Any) -> Event:
    return BASE | {"e": "ue", "ue_pr": described(name, data)} | keys


def loaded(start: float, kind: str = "navigate", *others: Event) -> Event:
    """What an event's contexts hold of a document that was loaded so, with other entities."""
    said = {"type": kind, "fetchStart": start, "requestStart": start + 10.5, "responseEnd": start + 20, "duration": 1}
    return {"co": contexts(entity("PerformanceNavigationTiming", said, "iglu:org.w3"), *others)}
