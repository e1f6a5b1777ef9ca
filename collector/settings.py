"""What operators set of the collector: `conf/collector.toml`, checked so that nothing in it can break out of a
configuration file."""

import re
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from etl.errors import BadUse
from etl.settings import PROJECT, Settings

FILE = PROJECT / "conf" / "collector.toml"

SOCKET_LENGTH = 107
"""Linux knows no longer names of Unix sockets."""

LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
HostName = Annotated[str, StringConstraints(pattern=rf"^{LABEL}(\.{LABEL})*$")]
UrlPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]+$")]
Address = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F.:]+$")]


class CollectorSettings(BaseModel):
    """Every knob of the collector; `collector.toml` explains each one.

    `inbox`, `home`, `trusted_proxies` and `batch_paths` are the pipeline's own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    inbox: Path
    home: Path
    trusted_proxies: list[str] = []
    batch_paths: list[UrlPath] = []

    sites: list[HostName] = Field(["localhost"], min_length=1)
    tracker_host: HostName = "t"
    pixel_host: HostName = "px"
    listen: list[Address] = Field(["127.0.0.1"], min_length=1)
    tracker_port: int = Field(8081, gt=0, lt=65536)
    pixel_port: int = Field(8082, gt=0, lt=65536)
    certificate: str = ""
    certificate_key: str = ""
    is_https: bool = True
    proxy_protocol: bool = False
    post_paths: list[UrlPath] = []
    get_paths: list[UrlPath] = []
    cookie_name: str = Field("bh_id", pattern=r"^[A-Za-z0-9_]+$")
    cookie_days: int = Field(395, gt=0, le=400)
    max_body_bytes: int = Field(2**20, ge=2**10, le=2**24)
    requests_per_second: int = Field(50, gt=0)
    requests_at_once: int = Field(300, gt=0)
    rotate_seconds: Literal[3600, 60, 10] = 3600
    grace_seconds: int = Field(120, ge=0)
    keep_minutes: int = Field(60, ge=0)
    reserve_mb: int = Field(512, ge=0)
    guard_seconds: float = Field(1.0, gt=0)
    block_hours: int = Field(24, gt=0)
    worker_user: str = Field("www-data", pattern=r"^[a-z_][a-z0-9_-]*$")

    @field_validator("home", "inbox", "certificate", "certificate_key")
    @classmethod
    def can_stand_in_a_configuration(cls, path: Path | str) -> Path | str:
        """A quote or a line's end in a path would end a word of nginx's configuration."""
        if re.search(r"""["'{};$\\\s]""", str(path)):
            raise ValueError(f"nginx cannot name {str(path)!r}: no spaces, quotes, braces, $, ; or \\ in paths")
        return path

    @model_validator(mode="after")
    def has_both_halves_of_a_certificate(self) -> "CollectorSettings":
        """A certificate without its key is none; the socket must have a name that Linux takes."""
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("certificate and certificate_key are named together")
        if len(str(self.run / "answer.sock")) > SOCKET_LENGTH:
            raise ValueError(f"the home's path is too long for a socket below it: {self.home}")
        return self

    @property
    def folder(self) -> Path:
        """All that the collector writes, on one file system."""
        return self.home / "collector"

    @property
    def run(self) -> Path:
        """Configuration, process ids, error logs, the block list; nothing that was collected."""
        return self.folder / "run"

    @property
    def page(self) -> Path:
        """What the trackers' host serves: the bundled tracker."""
        return self.folder / "page"

    def live(self, witness: str) -> Path:
        """Where nginx writes the hours of `tracker` or `pixel`."""
        return self.folder / "live" / witness

    @property
    def instance(self) -> str:
        """This machine, as file names say it: several collectors may fill one inbox."""
        return re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower()).strip("-") or "collector"

    @property
    def trackers(self) -> str:
        """The trackers' host."""
        return f"{self.tracker_host}.{self.sites[0]}"

    @property
    def pixels(self) -> str:
        """The pixel's host."""
        return f"{self.pixel_host}.{self.sites[0]}"


def load_collector_settings(pipeline: Settings, file: Path = FILE, **given: Any) -> CollectorSettings:
    """Read the settings; what is given wins over the file.

    Raises:
        BadUse: a setting is not known or has no sense; the message names it.
    """
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadUse(f"{file} cannot be read: {error}", "See conf/collector.toml") from error
    taken = {name: getattr(pipeline, name) for name in ("inbox", "home", "trusted_proxies", "batch_paths")}
    if doubled := sorted(taken.keys() & said.keys()):
        raise BadUse(f"setting {doubled[0]} stands in conf/bloodhound.toml", f"Take it out of {file}")
    known = said | taken | {name: value for name, value in given.items() if value is not None}
    try:
        return CollectorSettings(**known)
    except ValidationError as error:
        first = error.errors()[0]
        place = f"setting {'.'.join(str(part) for part in first['loc'])}: " if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        raise BadUse(f"{place}{message}", "See conf/collector.toml") from error
