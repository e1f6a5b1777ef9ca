"""What operators set: `bloodhound.toml`, overridden by `BLOODHOUND_*` in the environment."""

import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

import structlog
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from etl.errors import BadUse
from etl.vocabulary.bot_rules import BEHAVIOUR
from etl.vocabulary.log_formats import FORMATS
from etl.vocabulary.spend_exports import SpendExport

PROJECT = Path(__file__).resolve().parent.parent

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "starts_with", "contains", "exists"]


@cache
def time_zones() -> frozenset[str]:
    """Name the time zones of this machine: to look for them takes a tenth of a second."""
    return frozenset(available_timezones())


class DeclaredConversion(BaseModel):
    """Something people do, beside ordering, whose touches share its credit."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    schema_name: str = Field(alias="schema", min_length=1)
    where: list[tuple[str, Operator, str | int | float | bool]] = []
    value: str | Annotated[float, Field(ge=-1e12, le=1e12)] = 0
    currency: str | None = None
    once_per: Literal["event", "session", "person"] = "event"

    @model_validator(mode="after")
    def orders_are_orders(self) -> "DeclaredConversion":
        """Orders are conversions already; two of one name could not be told apart."""
        if self.name == "order":
            raise ValueError("a declared conversion cannot be called order")
        return self


class Heartbeat(BaseModel):
    """When an app's tracker says that somebody is still reading, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int = Field(gt=0, le=3600)
    first: int = Field(ge=0, le=3600)


class KeepDays(BaseModel):
    """For how many days what is kept of whom; 0 for ever."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    raw: int = Field(0, ge=0, le=36_500)
    addresses: int = Field(0, ge=0, le=36_500)
    quarantine: int = Field(0, ge=0, le=36_500)
    events: int = Field(0, ge=0, le=36_500)


ANY_APP = "*"
MASTER = re.compile(
    r"(local(-cluster)?(\[[\d*, ]+\])?|spark://[\w.,:\[\]-]+:\d+|yarn|k8s://(https?://)?[\w.:\[\]/-]+)?"
)


class Settings(BaseSettings):
    """Every knob of the pipeline; `bloodhound.toml` explains each one."""

    model_config = SettingsConfigDict(
        env_prefix="BLOODHOUND_",
        toml_file=os.environ.get("BLOODHOUND_SETTINGS", PROJECT / "conf" / "bloodhound.toml"),
        extra="forbid",
        frozen=True,
    )

    inbox: Path = Path("data/inbox")
    home: Path = Path("data")

    tracking_plan: Path = PROJECT / "conf" / "tracking_plan"
    thresholds: Path = PROJECT / "conf" / "thresholds.toml"
    ad_platforms: Path = PROJECT / "conf" / "ad_platforms.toml"
    holidays: Path | None = None
    annotations: Path | None = None

    session_gap_minutes: int = Field(30, gt=0, lt=1440)
    max_lateness_days: int = Field(30, gt=0)
    stitch_days: int = Field(30, ge=0)
    attribution_window_days: int = Field(30, gt=0)
    time_decay_half_life_days: float = Field(7, gt=0)
    position_first_share: float = Field(0.4, ge=0, le=1)
    position_last_share: float = Field(0.4, ge=0, le=1)
    conversions: list[DeclaredConversion] = []
    spend_exports: list[SpendExport] = []
    count_access: Literal["auto", "always", "never"] = "auto"
    ip_addresses: Literal["keep", "truncate", "hash"] = "keep"
    key: SecretStr = SecretStr("")
    ip_key: SecretStr = SecretStr("")
    trusted_proxies: list[str] = []
    address_countries: Path | None = None
    log_formats: dict[str, str] = {}
    no_pages: dict[str, list[str]] = {}
    batch_paths: list[str] = []
    reporting_currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    reporting_timezone: str = "UTC"
    page_locale: str = Field("en-US", pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$")
    own_hosts: list[str] = []
    heartbeats: dict[str, Heartbeat] = {ANY_APP: Heartbeat(every=10, first=5)}
    blocked_share_bound: float = Field(0.3, ge=0, lt=1)
    witness_days: int = Field(2, ge=0)
    asset_extensions: list[str] = []
    bot_rules: list[Literal[tuple(BEHAVIOUR)]] = []  # type: ignore[valid-type]

    max_line_bytes: int = Field(16 * 2**20, gt=0)
    max_message_bytes: int = Field(2**20, gt=0)
    max_decompressed_bytes: int = Field(64 * 2**30, gt=0)
    max_compression_ratio: int = Field(300, gt=1)

    keep_days: KeepDays = KeepDays(raw=0, addresses=0, quarantine=0, events=0)

    readers_group: str = ""

    memory_limit: str = Field("1500MB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    threads: int = Field(2, gt=0)

    engine: Literal["duckdb", "spark"] = "duckdb"
    spark_master: str = "local[*]"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, which wins over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def shares_and_names_make_sense(self) -> "Settings":
        """Check what no setting can say of itself alone."""
        if not 0 < self.position_first_share + self.position_last_share <= 1:
            raise ValueError("position_first_share + position_last_share must lie above 0 and at most at 1")
        if 2 * self.witness_days > self.max_lateness_days:
            raise ValueError("witness_days must be at most half of max_lateness_days, or a page view had two hits")
        if 0 < self.keep_days.raw < self.least_raw_days:
            raise ValueError(
                f"keep_days.raw must be 0 (for ever) or at least {self.least_raw_days}: what is late by as much as"
                " max_lateness_days allows would be refused"
            )
        for what, days in {"addresses": self.keep_days.addresses, "quarantine": self.keep_days.quarantine}.items():
            if days and not 0 < self.keep_days.raw <= days:
                held = "addresses" if what == "addresses" else "what is in quarantine"
                raise ValueError(
                    f"keep_days.{what}: raw lines hold {held}, so keep_days.raw must be set, and no longer than that"
                )
        if reason := self.events_too_short():
            raise ValueError(f"keep_days.events: {reason}")
        names = [conversion.name for conversion in self.conversions]
        if len(set(names)) < len(names):
            raise ValueError("conversions: a name is there twice")
        return self

    @field_validator("reporting_timezone")
    @classmethod
    def is_a_time_zone(cls, name: str) -> str:
        """A name that means nothing would fail deep inside a build."""
        if name not in time_zones():
            raise ValueError(f"{name!r} is no time zone, as America/New_York is one")
        return name

    @field_validator("spark_master")
    @classmethod
    def is_a_master(cls, master: str) -> str:
        """A cluster is named as Spark names it; Connect's clients cannot run tasks of their own."""
        if not MASTER.fullmatch(master):
            raise ValueError(
                f"{master!r} names no cluster, as local[2], spark://host:7077, yarn and k8s://https://host:6443 do;"
                " empty is what spark-defaults.conf says"
            )
        return master

    @field_validator("trusted_proxies")
    @classmethod
    def are_networks(cls, networks: list[str]) -> list[str]:
        """A proxy is named by its address or its network."""
        for network in networks:
            ip_network(network, strict=False)
        return networks

    @field_validator("heartbeats")
    @classmethod
    def of_any_app(cls, heartbeats: dict[str, Heartbeat]) -> dict[str, Heartbeat]:
        """Apps that are not named have the tracker's own default."""
        return {ANY_APP: Heartbeat(every=10, first=5)} | heartbeats

    @field_validator("log_formats")
    @classmethod
    def are_known_formats(cls, formats: dict[str, str]) -> dict[str, str]:
        """A folder's format is one of the register's."""
        for name in formats.values():
            if name not in FORMATS:
                raise ValueError(f"{name!r} is no format; the register knows {', '.join(FORMATS)}")
        return formats

    @property
    def least_raw_days(self) -> int:
        """For how many days raw lines are needed: lateness, and the day at either end."""
        return self.max_lateness_days + 2

    @property
    def least_event_days(self) -> int:
        """For how many days events are needed: what is late, what persons are stitched by and credited for.

        Beyond the days that are sealed: either of two copies may have come late, and so long after the other.
        """
        open_days = self.max_lateness_days + self.stitch_days + self.attribution_window_days
        return max(open_days, self.keep_days.raw + 2 * self.max_lateness_days + 3)

    def events_too_short(self) -> str | None:
        """Say what is wrong with the days for which events are kept."""
        kept = self.keep_days
        if kept.events and not kept.raw:
            return "raw lines hold events, so keep_days.raw must be set"
        if 0 < kept.events < self.least_event_days:
            return (
                f"must be 0 (for ever) or at least {self.least_event_days}: lateness, stitching and the attribution"
                " window, and keep_days.raw with twice the lateness and three days"
            )
        if kept.events and kept.addresses > kept.events:
            return "what is kept when events go has no addresses, so keep_days.addresses must be no longer"
        return None

    @property
    def lake(self) -> Path:
        """The folder of Parquet datasets."""
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        """The published DuckDB file."""
        return self.home / "warehouse" / "bloodhound.duckdb"

    @property
    def marts(self) -> Path:
        """The published DuckDB file of those marts in which no row is a person's."""
        return self.home / "warehouse" / "marts.duckdb"


PREFIX = "BLOODHOUND_"
OTHER_NAMES = frozenset(
    {
        "SETTINGS", "LOG_LEVEL", "PROJECT", "BUILD_DB", "AIRFLOW_HOME", "AIRFLOW_DB", "PORT", "SCHEDULE",
        "WEBHOOK_URL", "WEBHOOK_TOKEN", "MAIL_TO", "MAIL_FROM", "SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY",
        "SMTP_USER", "SMTP_PASSWORD", "SCREENSHOTS", "SITE_PAGES",
    }
)  # fmt: skip
"""What else is read from the environment under this project's prefix: addresses, secrets and what one part tells
another."""


def load_settings(inbox: Path | None = None, home: Path | None = None) -> Settings:
    """Read the settings, with absolute paths.

    Raises:
        BadUse: a setting is not known or has no sense, or the file of settings that was named is missing; the message
            names it.
    """
    refuse_unknown_names(os.environ)
    refuse_missing_file()
    given = {"inbox": inbox, "home": home}
    try:
        settings = Settings(**{name: path for name, path in given.items() if path is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise BadUse(*describe(error.errors()[0])) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUse(f"{settings_file()} is not TOML: {error}", "See conf/bloodhound.toml") from error
    except SettingsError as error:
        raise BadUse(f"the environment: {error}", "Lists and tables are written as JSON there") from error
    if settings.ip_key.get_secret_value():
        structlog.get_logger("bloodhound").warning(
            "BLOODHOUND_IP_KEY is an old name, and now the key of all pseudonyms: set BLOODHOUND_KEY instead"
        )
    return settings.model_copy(update={"inbox": settings.inbox.absolute(), "home": settings.home.absolute()})


def describe(error: ErrorDetails) -> tuple[str, str]:
    """Say what is wrong with a setting, and what to do."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return (
            f"{f'setting {place}' if place else 'settings'}: {error['msg'].removeprefix('Value error, ')}",
            "See conf/bloodhound.toml",
        )
    *above, name = error["loc"]
    known = [field.alias or key for key, field in fields_at(above).items()]
    return f"there is no setting {place}", nearest(str(name), known)


def fields_at(place: Sequence[int | str]) -> dict[str, FieldInfo]:
    """Find the fields that may stand at a place: those of the settings, or of a table in a list of them."""
    if not place:
        return Settings.model_fields
    tables: dict[str, type[BaseModel]] = {
        "spend_exports": SpendExport,
        "conversions": DeclaredConversion,
        "heartbeats": Heartbeat,
        "keep_days": KeepDays,
    }
    table = tables.get(str(place[0]))
    return table.model_fields if table else {}


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Offer the known name that is most like one that is not known; both without their prefix."""
    found = get_close_matches(name, list(known), 1, 0.5)
    return f"Do you mean {prefix}{found[0]}? See conf/bloodhound.toml" if found else "See conf/bloodhound.toml"


def refuse_unknown_names(environment: Iterable[str]) -> None:
    """Refuse what the environment sets and nobody reads: it was meant to say something.

    Raises:
        BadUse: the message names it, and the known name that is most like it.
    """
    known = OTHER_NAMES | {name.upper() for name in Settings.model_fields}
    for name in sorted(environment):
        short = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and short not in known:
            raise BadUse(f"there is no setting {name} in the environment", nearest(short, known, PREFIX))


def settings_file() -> Path:
    """Name the file of settings."""
    return Path(str(Settings.model_config["toml_file"]))


def refuse_missing_file() -> None:
    """Refuse a file of settings that was named and is not there: all in it would be left at its default.

    Raises:
        BadUse: the message names it.
    """
    if "BLOODHOUND_SETTINGS" in os.environ and not settings_file().is_file():
        raise BadUse(f"there is no settings file {settings_file()}", "Mend BLOODHOUND_SETTINGS, or unset it")
