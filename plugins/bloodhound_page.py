"""The page inside Airflow: a view in the navigation, and its data loss beside every DAG, behind Airflow's login.

Airflow serves the apps of plugins to anybody. So the one route here asks for the user itself, and there is
no folder of static files, which could not ask.
"""

from pathlib import Path

from airflow.api_fastapi.core_api.security import get_user
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response

from etl.settings import load_settings

HEADERS = {
    # Only Airflow's own pages may frame it; the page's policy for itself is within it.
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
NOT_YET = """<!doctype html><html lang="en"><title>Bloodhound</title>
<p>No page yet: it is made once a warehouse is published.</p></html>"""

app = FastAPI(title="Bloodhound", docs_url=None, redoc_url=None, openapi_url=None)


def page_path() -> Path:
    """The page of the home that this Airflow serves."""
    return load_settings().home / "report" / "index.html"


@app.get("/page", dependencies=[Depends(get_user)])
def page() -> Response:
    """Give the page to whoever is logged in."""
    if not page_path().is_file():
        return HTMLResponse(NOT_YET, headers=HEADERS)
    return FileResponse(page_path(), media_type="text/html", headers=HEADERS)


class BloodhoundPage(AirflowPlugin):
    """The page in the navigation and beside the DAGs."""

    name = "bloodhound_page"
    fastapi_apps = [{"app": app, "url_prefix": "/bloodhound", "name": "Bloodhound"}]  # noqa: RUF012  (Airflow's word)
    external_views = [  # noqa: RUF012
        # Without a leading slash: the address is taken below Airflow's own.
        {
            "name": name,
            "href": f"bloodhound/page{state}",
            "destination": place,
            "url_route": route,
            "nav_top_level": True,
        }
        for name, state, place, route in (
            ("Figures", "", "nav", "figures"),
            ("Data loss", "#tab=loss", "dag", "data-loss"),
        )
    ]
