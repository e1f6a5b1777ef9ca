"""nginx's configuration, a file for each witness, from the templates beside this module."""

import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from collector.settings import CollectorSettings
from etl.lake import files

WITNESSES = ("tracker", "pixel")
POSTS = ("/t", "/com.snowplowanalytics.snowplow/tp2")
GETS = ("/i",)
DIGITS = {3600: "${h}", 60: "${h}${m}", 10: "${h}${m}${s}0"}
"""How a file says when it begins, by how many seconds it holds."""
LOOPBACK = ("127.0.0.0/8", "::1")


def render(settings: CollectorSettings, witness: str) -> str:
    """Write the configuration of one of the two processes."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    fields = settings.model_dump(exclude={"listen", "sites"})
    return templates.get_template("witness.conf.jinja").render(
        fields
        | {
            "witness": witness,
            "run": settings.run,
            "live": settings.live(witness),
            "page": settings.page,
            "instance": settings.instance,
            "digits": DIGITS[settings.rotate_seconds],
            "listen": [f"[{address}]" if ":" in address else address for address in settings.listen],
            "port": settings.tracker_port if witness == "tracker" else settings.pixel_port,
            "sites": [site.replace(".", r"\.") for site in settings.sites],
            "trusted": unique(*LOOPBACK, *settings.trusted_proxies),
            "posts": unique(*POSTS, *settings.batch_paths, *settings.post_paths),
            "gets": unique(*GETS, *settings.get_paths),
            # Only root may say whom others run as.
            "worker_user": settings.worker_user if os.geteuid() == 0 else "",
        }
    )


def unique(*names: str) -> list[str]:
    """Name each once, in order: nginx refuses a location that stands there twice."""
    return list(dict.fromkeys(names))


def configuration(settings: CollectorSettings, witness: str) -> Path:
    """Name the file of a witness's configuration."""
    return settings.run / f"{witness}.conf"


def write_configuration(settings: CollectorSettings) -> None:
    """Write both configurations, whole or not at all."""
    for witness in WITNESSES:
        files.write_bytes(configuration(settings, witness), render(settings, witness).encode())
