"""The lines to paste into a site's pages: an id, the pixel and the tracker, each witness without the other."""

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from collector.settings import CollectorSettings
from etl.errors import BadUse

APP_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def page_snippet(settings: CollectorSettings, app_id: str, scheme: str = "https") -> str:
    """Write the lines for one site.

    Raises:
        BadUse: the app's name would break out of them.
    """
    if not APP_ID.fullmatch(app_id):
        raise BadUse(f"{app_id!r} is no name of an app", "Letters, digits, _ . and -")
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined,
        keep_trailing_newline=True, autoescape=True,
    )  # fmt: skip
    return templates.get_template("page.html.jinja").render(
        app_id=app_id, trackers=f"{scheme}://{settings.trackers}", pixels=f"{scheme}://{settings.pixels}"
    )
