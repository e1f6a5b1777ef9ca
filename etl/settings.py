"""What operators set: `bloodhound.toml`, overridden by `BLOODHOUND_*` in the environment."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from etl.errors import BadUse

PROJECT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Every knob of the pipeline; `bloodhound.toml` explains each one."""

    model_config = SettingsConfigDict(
        env_prefix="BLOODHOUND_",
        toml_file=os.environ.get("BLOODHOUND_SETTINGS", PROJECT / "bloodhound.toml"),
        extra="ignore",
        frozen=True,
    )

    inbox: Path = Path("data/inbox")
    home: Path = Path("data")

    session_gap_minutes: int = Field(30, gt=0, lt=1440)
    max_lateness_days: int = Field(30, gt=0)
    stitch_days: int = Field(30, ge=0)
    attribution_window_days: int = Field(30, gt=0)
    count_access: Literal["auto", "always", "never"] = "auto"
    reporting_currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    own_hosts: list[str] = []
    asset_extensions: list[str] = []

    loss_warn: float = Field(0.02, ge=0, le=1)
    loss_error: float = Field(0.05, ge=0, le=1)

    max_line_bytes: int = Field(16 * 2**20, gt=0)
    max_message_bytes: int = Field(2**20, gt=0)
    max_decompressed_bytes: int = Field(64 * 2**30, gt=0)
    max_compression_ratio: int = Field(300, gt=1)

    memory_limit: str = Field("1500MB", pattern=r"^\d+(\.\d+)?\s*[KMGT]i?B$")
    threads: int = Field(2, gt=0)

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

    @property
    def lake(self) -> Path:
        """The folder of Parquet datasets."""
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        """The published DuckDB file."""
        return self.home / "warehouse" / "bloodhound.duckdb"


def load_settings(inbox: Path | None = None, home: Path | None = None) -> Settings:
    """Read the settings, with absolute paths.

    Raises:
        BadUse: a setting has no sense; the message names it.
    """
    given = {"inbox": inbox, "home": home}
    try:
        settings = Settings(**{name: path for name, path in given.items() if path is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise BadUse(f"setting {name}: {first['msg']}", "See bloodhound.toml") from error
    return settings.model_copy(update={"inbox": settings.inbox.absolute(), "home": settings.home.absolute()})
