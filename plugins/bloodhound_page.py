"""The page inside Airflow: a view in the navigation, and its data loss beside every DAG, behind Airflow's login.

Airflow serves the apps of plugins to anybody. So each route here asks for the user itself, and there is
no folder of static files, which could not ask.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response

from etl.settings import load_settings

HEADERS = {
    # Only Airflow's own pages may frame it; the page's policy for itself is within it.
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
NOT_YET = "No page yet: it is made once a warehouse is published."
STYLE = (
    "html,body{height:100%;margin:0}body{font:1rem system-ui,sans-serif;color-scheme:light dark}"
    "header{position:absolute;inset:0;padding:2rem}iframe{position:relative;border:0;width:100%;height:100%}"
)
ALLOWED_STYLE = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{ALLOWED_STYLE}'; frame-src 'self'; {HEADERS['Content-Security-Policy']}"
)
# The page lies over heading and word once it is there; where there is none, it is looked for again.
VIEW = """<!doctype html><html lang="en"><title>{title}</title><style>{style}</style>{refresh}
<header><h1>{title}</h1><p role="status">{said}</p></header>{frame}</html>"""


@dataclass(frozen=True)
class View:
    """A view of the page in Airflow: its heading, where it stands, and the part of the page that it begins with."""

    title: str
    place: str
    state: str


VIEWS = {"figures": View("Figures", "nav", ""), "data-loss": View("Data loss", "dag", "#tab=trust")}

app = FastAPI(title="Bloodhound", docs_url=None, redoc_url=None, openapi_url=None)


def page_path() -> Path:
    """The page of the home that this Airflow serves."""
    return load_settings().home / "report" / "index.html"


@app.get("/view/{name}", dependencies=[Depends(get_user)])
def view(name: str) -> Response:
    """Give the frame of a view: a heading and what is happening, until the page lies over them."""
    if name not in VIEWS:
        raise HTTPException(404)
    wanted, is_there = VIEWS[name], page_path().is_file()
    filled = VIEW.format(
        title=wanted.title, style=STYLE,
        refresh="" if is_there else '<meta http-equiv="refresh" content="10">',
        said="Reading the page…" if is_there else NOT_YET,
        frame=f'<iframe src="../page{wanted.state}" title="{wanted.title}"></iframe>' if is_there else "",
    )  # fmt: skip
    return HTMLResponse(filled, headers=HEADERS | {"Content-Security-Policy": POLICY})


@app.get("/page", dependencies=[Depends(get_user)])
def page() -> Response:
    """Give the page to whoever is logged in."""
    if not page_path().is_file():
        raise HTTPException(404, NOT_YET)
    return FileResponse(page_path(), media_type="text/html", headers=HEADERS)


class BloodhoundPage(AirflowPlugin):
    """The page in the navigation and beside the DAGs."""

    name = "bloodhound_page"
    fastapi_apps = [{"app": app, "url_prefix": "/bloodhound", "name": "Bloodhound"}]  # noqa: RUF012  (Airflow's word)
    external_views = [  # noqa: RUF012
        # Without a leading slash: the address is taken below Airflow's own.
        {
            "name": view.title,
            "href": f"bloodhound/view/{name}",
            "destination": view.place,
            "url_route": name,
            "nav_top_level": True,
        }
        for name, view in VIEWS.items()
    ]
