"""Five homes as people have them, made by the real stages of simulated and real logs."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path

from builders import shared
from etl import pipeline
from etl.errors import CheckFailed
from etl.settings import Settings
from etl.simulate import simulate


def sample(inbox: Path) -> None:
    """Three days of a shop, as a first run makes them."""
    simulate(inbox, messages=12_000)


def shop(inbox: Path) -> None:
    """A year of a small shop, and a month of the year before it, with spend."""
    simulate(inbox, messages=36_000, days=392, start=date(2025, 2, 1), details=False)


def blog(inbox: Path) -> None:
    """A real blog's access log of four days, and nothing else."""
    (inbox / "access").mkdir(parents=True)
    shutil.copy(shared("access/apache_2015.log"), inbox / "access" / "access.log")


def quiet(inbox: Path) -> None:
    """Three weeks of a site with tracker and pixel that sells nothing and pays nobody."""
    simulate(inbox, messages=12_000, days=21, converting=0.0, seed=5)
    shutil.rmtree(inbox / "spend")


def empty(inbox: Path) -> None:
    """Nothing has come yet."""
    (inbox / "events").mkdir(parents=True)


HOMES: dict[str, Callable[[Path], None]] = {home.__name__: home for home in (sample, shop, blog, quiet, empty)}


def make_home(name: str, folder: Path) -> Settings:
    """Fill an inbox and take it all the way to the page."""
    settings = Settings(inbox=folder / "inbox", home=folder / "home")
    HOMES[name](settings.inbox)
    for task in (pipeline.land, pipeline.parse, pipeline.sessionize, pipeline.build):
        task(settings)
    with suppress(CheckFailed):
        pipeline.reconcile(settings)
    pipeline.report(settings)
    return settings
