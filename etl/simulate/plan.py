"""What to simulate: sizes, rates and incidents."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from etl.errors import BadUse

Compression = Literal["zst", "gz", "none"]

FIRST_DAY = date(2026, 3, 1)


@dataclass(frozen=True)
class Incident:
    """An extra loss of tracker messages, or of pixel hits, that hits only what it names.

    Args:
        loss: share of the messages concerned that never reach the collector (0 to 1).
        pixel: share of the pixel hits concerned that are lost (of no collector's host).
        start, end: when it happens (UTC, half open); None: always.
        platform, tracker, browser, host: whom it hits; None: everybody. `browser` is a word of
            the user agent (`Firefox`), `tracker` and `host` are written as in the log.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    loss: float = 0.0
    pixel: float = 0.0
    start: datetime | None = None
    end: datetime | None = None
    platform: str | None = None
    tracker: str | None = None
    browser: str | None = None
    host: str | None = None

    def __post_init__(self) -> None:
        """Refuse times that hang on where they are read."""
        if any(moment and moment.tzinfo is None for moment in (self.start, self.end)):
            raise BadUse("An incident's time has no zone", "Write it as 2026-03-05T10:00:00Z")

    @classmethod
    def read(cls, text: str) -> "Incident":
        """Read `loss=1,start=2026-03-02T10,end=2026-03-02T14,platform=ios`.

        Raises:
            BadUse: for a word that is no `name=value` pair of an incident.
        """
        names = {"loss", "pixel", "start", "end", "platform", "tracker", "browser", "host"}
        pairs = dict(pair.partition("=")[::2] for pair in text.split(","))
        try:
            if not names.issuperset(pairs):
                raise ValueError(", ".join(set(pairs) - names))
            times = {
                name: datetime.fromisoformat(pairs.pop(name)).replace(tzinfo=UTC)
                for name in ("start", "end")
                if name in pairs
            }
            shares = {name: float(pairs.pop(name)) for name in ("loss", "pixel") if name in pairs}
            if not shares:
                raise ValueError("it loses nothing")
            return cls(**shares, **times, **pairs)  # type: ignore[arg-type]
        except (KeyError, ValueError) as error:
            raise BadUse(
                f"Not an incident: {text} ({error})",
                "Write loss=0.5 or pixel=0.5 and any of start=, end=, platform=, tracker=, browser=, host=",
            ) from error


@dataclass(frozen=True)
class Plan:
    """Everything a simulation depends on: the same plan gives the same bytes.

    Args:
        messages: distinct messages to make, about (within a few per cent).
        days: UTC days the log covers; what would arrive after the last one is not in it.
        start: the first day.
        seed: another seed is another crowd.
        compress: how the logs are packed.
        loss: share of messages lost on the way to the collector, half singly, half by the batch.
        pixel_loss: share of page views whose pixel is lost, independently of the messages.
        blocked: share of web visitors whose ad blocker stops tracker and pixel alike.
        bots: share of sessions that are robots'.
        retries: share of batches that are sent again although they had arrived.
        late: share of batches that a client keeps for minutes to days.
        too_late: share of sessions whose messages are 31 to 60 days old when they arrive.
        wrong_clocks: share of devices whose clock is hours or years off.
        restarts: share of sessions that begin with the message counter set back to 0.
        garbage: share of extra lines that make no valid message.
        effect: the experiment's true effect on the conversion of exposed sessions (0.15 = +15 %).
        currencies: what orders and campaigns are paid in, where they would be; else in the first.
            Others than the reporting currency need rates in the warehouse.
        v1, v2, snowplow: shares of devices that speak an older version or Snowplow's protocol.
        incidents: extra losses, of messages or of pixel hits.
        open_hours: UTC hours in which people come, first and after the last: (9, 17) is an office's day.
        closed_weekdays: days of the week on which nobody comes, Monday is 0.
        holidays: days on which nobody comes.
        rhythm: (2, 14): people come on the first two days of each fourteen, as to a source that is seldom heard.
        converting: factor on how many sessions order; 0 is a site that sells nothing.
        brief: share of newcomers' sessions that are one page and nothing else, on a device of its own: short streams.
        refused: share of web visitors who refuse consent: their messages are anonymous, without visitor and user, and
            their pixel names nobody. The truth knows them all the same.
        refunds: share of orders that the servers give back, whole, one to five days later.
        access: also write the web servers' own logs.
        exclusions: also write a list of exclusions.
        details: write the truth message by message (otherwise only its sums).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")
    messages: int = 60_000
    days: int = 3
    start: date = FIRST_DAY
    seed: int = 7
    compress: Compression = "zst"
    loss: float = 0.02
    pixel_loss: float = 0.01
    blocked: float = 0.0
    bots: float = 0.03
    retries: float = 0.012
    late: float = 0.008
    too_late: float = 0.0
    wrong_clocks: float = 0.02
    restarts: float = 0.0005
    garbage: float = 0.0005
    effect: float = 0.15
    currencies: tuple[str, ...] = ("USD",)
    v1: float = 0.0
    v2: float = 0.0
    snowplow: float = 0.0
    incidents: tuple[Incident, ...] = ()
    open_hours: tuple[int, int] = (0, 24)
    closed_weekdays: tuple[int, ...] = ()
    holidays: tuple[date, ...] = ()
    rhythm: tuple[int, int] = (1, 1)
    converting: float = 1.0
    brief: float = 0.0
    refused: float = 0.0
    refunds: float = 0.0
    access: bool = False
    exclusions: bool = False
    details: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        shares = {name: value for name, value in vars(self).items() if isinstance(value, float) and name != "effect"}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise BadUse(f"{name} is a share, not {value}", "Give a number from 0 to 1")
        if self.messages < 1 or self.days < 1:
            raise BadUse("Nothing to simulate", "Ask for at least one message and one day")
        opening, closing = self.open_hours
        if not 0 <= opening < closing <= 24:  # noqa: PLR2004  (hours of a day)
            raise BadUse(f"Nobody comes from {opening} to {closing} o'clock", "Give two hours, as (9, 17)")
        if not any(self.is_open(day) for day in range(self.days)):
            raise BadUse("The site is closed on every day", "Leave a day open")
        if self.compress not in ("zst", "gz", "none"):
            raise BadUse(f"No such compression: {self.compress}", "Choose zst, gz or none")

    def is_open(self, day: int) -> bool:
        """Say whether people come on a day, counted from the first."""
        date = self.start + timedelta(days=day)
        heard, every = self.rhythm
        return date.weekday() not in self.closed_weekdays and date not in self.holidays and day % every < heard


def read_plan(path: Path, **given: Any) -> Plan:
    """Read what kind of site to simulate: TOML of the fields of `Plan`, its incidents as tables `[[incidents]]`.

    Args:
        path: the file.
        given: fields that win over the file's.

    Raises:
        BadUse: the file cannot be read, or has a field that is none or makes no sense.
    """
    try:
        with path.open("rb") as file:
            return TypeAdapter(Plan).validate_python(tomllib.load(file) | given)
    except OSError as error:
        raise BadUse(f"{path} cannot be read: {error.strerror}", "Give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUse(f"{path} is not TOML: {error}", "Write it as open_hours = [9, 17]") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadUse(f"{path}: {place}: {first['msg']}", f"Fields are {', '.join(Plan.__annotations__)}") from error
