"""The demo's scene: a certificate, a shop, and the collector, in a folder of their own and on ports that are free."""

import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from collector import processes
from collector.guard import flag
from collector.settings import CollectorSettings, load_collector_settings
from collector.snippet import page_snippet
from etl.settings import PROJECT, load_settings

SITE = "shop.example"
TEMPLATES = PROJECT / "collector" / "templates"


@dataclass(frozen=True)
class Scene:
    """What runs, and where it listens."""

    settings: CollectorSettings
    shop_port: int

    @property
    def ports(self) -> dict[str, int]:
        """Each host's port."""
        return {
            SITE: self.shop_port,
            self.settings.trackers: self.settings.tracker_port,
            self.settings.pixels: self.settings.pixel_port,
        }

    @property
    def shop_log(self) -> Path:
        """The shop's access log."""
        return self.settings.run / "shop.log"

    def refuse(self, is_full: bool) -> None:
        """Have both witnesses answer 503, or no more: what the guard does when the disk fills."""
        if is_full:
            flag(self.settings).touch()
        else:
            flag(self.settings).unlink()


def free_ports(count: int) -> list[int]:
    """Find ports of loopback on which nobody listens."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def set_up(folder: Path) -> Scene:
    """Start shop and collector in an empty folder."""
    inbox, home = folder / "inbox", folder / "home"
    for each in (inbox, home):
        each.mkdir(parents=True)
    certificate, key = make_certificate(folder)
    shop_port, tracker_port, pixel_port = free_ports(3)
    settings = load_collector_settings(
        load_settings(inbox, home), sites=[SITE], tracker_port=tracker_port, pixel_port=pixel_port,
        certificate=str(certificate), certificate_key=str(key), proxy_protocol=True, rotate_seconds=10, grace_seconds=2,
        # The demo itself says when the disk is full.
        guard_seconds=3600.0, reserve_mb=0,
    )  # fmt: skip
    processes.start(settings)
    start_shop(settings, shop_port)
    return Scene(settings, shop_port)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of our own for the shop and the hosts below it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = f"subjectAltName=DNS:{SITE},DNS:*.{SITE},DNS:localhost"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={SITE}", "-addext", names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def start_shop(settings: CollectorSettings, port: int) -> None:
    """Write the shop's pages and have nginx serve them."""
    pages = settings.folder / "shop"
    pages.mkdir()
    (settings.run / "shop.temp").mkdir()
    if os.geteuid() == 0:
        shutil.chown(settings.run / "shop.temp", settings.worker_user)
    templates = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)
    for consent in ("given", "anonymous", "none"):
        snippet = page_snippet(settings, "shop").replace('consent: "given"', f'consent: "{consent}"')
        page = templates.get_template("shop.html.jinja").render(snippet=snippet)
        (pages / f"{consent}.html").write_text(page)
    configuration = settings.run / "shop.conf"
    fields = settings.model_dump() | {
        "run": settings.run, "pages": pages, "port": port,
        "worker_user": settings.worker_user if os.geteuid() == 0 else "",
    }  # fmt: skip
    configuration.write_text(templates.get_template("shop.conf.jinja").render(fields))
    processes.call_nginx(settings, "shop")


def tear_down(scene: Scene) -> None:
    """Stop all that was started."""
    shop = processes.running(scene.settings, "shop")
    if shop:
        processes.end([psutil.Process(shop.pid)], signal.SIGQUIT)
    processes.stop(scene.settings)
