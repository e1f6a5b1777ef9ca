"""How messages travel: numbered, batched, lost, kept back, sent again."""

from dataclasses import dataclass

import numpy as np

from etl.simulate.plan import Plan
from etl.simulate.text import DAY, HOUR, MINUTE, SECOND, Flags, Floats, Ints, draw, ranges

FLUSH_AFTER = 6 * SECOND
"""A client sends what it has when nothing happened for this long, or when it has ten messages."""
LARGEST_BATCH = 10
FLUSHED_EARLY = 0.06
LATENCY_MEDIAN = 60
CLOCK_SET_BACK = 0.001
"""Share of batches whose `sent_at` lies before their first `created_at`."""
RESENT_AS_STAMPED = 0.3
"""Share of retries that carry the first attempt's `sent_at`."""

RECEIVED, LOST_SINGLY, LOST_BATCH, BLOCKED, LOST_INCIDENT, PENDING = range(6)
STATUSES = ("received", "lost_singly", "lost_batch", "blocked", "lost_incident", "pending")


@dataclass
class Route:
    """What messages meet on their way.

    Args:
        plan: the rates of late, repeated and lost batches.
        end: when the log ends; what would arrive later is `PENDING`.
        loss: share of messages lost, half singly, half with their batch.
        hazard: `RECEIVED`, or what a message meets in any case (`BLOCKED`).
        incident_loss: for each collector, each message's share of extra loss; empty: none.
    """

    plan: Plan
    end: int
    loss: float
    hazard: Ints
    incident_loss: dict[int, Floats]


@dataclass
class Delivery:
    """What became of messages, and the request lines that carry them.

    Args:
        status: what became of each message, a position in `STATUSES`.
        first_received: when a message's first copy arrived (0: never).
        copies: how often each message arrived before the log ends.
        rows: the messages of all lines, one line after another.
        opens: whether each of `rows` is the first of its line.
        closes: whether each of `rows` is the last of its line.
        sent, received: times of each line; `sent` by the true clock.
        set_back: how far `sent` lies before what an undisturbed clock would say.
        again: whether each line is a retry.
        host: which collector took each line.
    """

    status: Ints
    first_received: Ints
    copies: Ints
    rows: Ints
    opens: Flags
    closes: Flags
    sent: Ints
    received: Ints
    set_back: Ints
    again: Flags
    host: Ints


def number(stream: Ints, fresh: Flags, next_index: Ints) -> Ints:
    """Number messages, ordered by stream and time, with their stream's counter.

    Args:
        stream: position of each message's counter in `next_index`.
        fresh: where a counter starts again at 0.
        next_index: where each counter stands; updated.
    """
    count = len(stream)
    if not count:
        return np.zeros(0, dtype=np.int64)
    new = np.ones(count, dtype=bool)
    new[1:] = stream[1:] != stream[:-1]
    segment = new | fresh
    row = np.arange(count)
    first = np.maximum.accumulate(np.where(segment, row, 0))
    base = np.where(fresh[first], 0, next_index[stream[first]])
    index = base + row - first
    last = np.append(new[1:], True)
    next_index[stream[last]] = index[last] + 1
    return index


def deliver(stream: Ints, at: Ints, route: Route, rng: np.random.Generator) -> Delivery:
    """Send messages, which are ordered by stream and time, to the collectors."""
    count = len(stream)
    batch = _batches(stream, at, rng)
    batches = int(batch[-1]) + 1 if count else 0
    first = np.searchsorted(batch, np.arange(batches))
    size = np.diff(np.append(first, count))
    host = (rng.random(batches) < 1 / 2).astype(np.int64)
    status = _lose(route, batch, host, rng)

    last = at[first + size - 1] if count else np.zeros(0, dtype=np.int64)
    sent = last + rng.integers(20, 1_500, batches) + _kept_back(route.plan, rng, batches)
    received = sent + _latency(rng, batches)
    set_back = np.where(
        rng.random(batches) < CLOCK_SET_BACK,
        sent - (at[first] if count else 0) + rng.integers(SECOND, HOUR, batches),
        0,
    )

    again = np.flatnonzero(rng.random(batches) < route.plan.retries)
    pause = _retry_pause(rng, len(again))
    stamped = rng.random(len(again)) < RESENT_AS_STAMPED
    line_batch = np.append(np.arange(batches), again)
    line_sent = np.append(sent, sent[again] + np.where(stamped, 0, pause))
    line_received = np.append(received, received[again] + pause)
    is_retry = np.arange(len(line_batch)) >= batches

    rows = ranges(first[line_batch], size[line_batch])
    line = np.repeat(np.arange(len(line_batch)), size[line_batch])
    kept = (status[rows] == RECEIVED) & (line_received[line] < route.end)
    arrived = kept & ~is_retry[line]
    pending = np.ones(count, dtype=bool)
    pending[rows[arrived]] = False
    # A retry never arrives before its original, so what is pending has no copy at all.
    status[pending & (status == RECEIVED)] = PENDING
    rows, line = rows[kept], line[kept]
    opens = np.ones(len(rows), dtype=bool)
    opens[1:] = line[1:] != line[:-1]
    used = line[opens]
    return Delivery(
        status=status,
        first_received=np.where(status == RECEIVED, received[batch] if count else 0, 0),
        copies=np.bincount(rows, minlength=count),
        rows=rows,
        opens=opens,
        closes=np.append(opens[1:], True)[: len(rows)],
        sent=line_sent[used],
        received=line_received[used],
        set_back=np.append(set_back, set_back[again])[used],
        again=is_retry[used],
        host=np.append(host, host[again])[used],
    )


def _lose(route: Route, batch: Ints, host: Ints, rng: np.random.Generator) -> Ints:
    """Draw what becomes of each message on its way; `host` is each batch's collector."""
    count, batches = len(batch), len(host)
    once = 1 - np.sqrt(1 - route.loss)
    status = route.hazard.copy()
    extra = np.where(host[batch] == 0, route.incident_loss[0], route.incident_loss[1]) if route.incident_loss else 0.0
    draws = (
        (LOST_INCIDENT, rng.random(count) < extra),
        (LOST_BATCH, (rng.random(batches) < once)[batch]),
        (LOST_SINGLY, rng.random(count) < once),
    )
    for cause, hit in draws:
        status[hit & (status == RECEIVED)] = cause
    return status


def _batches(stream: Ints, at: Ints, rng: np.random.Generator) -> Ints:
    """Number the batches that clients make of their messages."""
    count = len(stream)
    new = np.ones(count, dtype=bool)
    new[1:] = (stream[1:] != stream[:-1]) | (at[1:] - at[:-1] > FLUSH_AFTER)
    new |= rng.random(count) < FLUSHED_EARLY
    row = np.arange(count)
    first = np.maximum.accumulate(np.where(new, row, 0))
    new |= (row - first) % LARGEST_BATCH == 0
    return np.cumsum(new) - 1


def _latency(rng: np.random.Generator, count: int) -> Ints:
    """Draw how long requests travel: log-normal, rarely seconds."""
    return 5 + np.exp(np.log(LATENCY_MEDIAN) + 0.8 * rng.standard_normal(count)).astype(np.int64)


def _kept_back(plan: Plan, rng: np.random.Generator, count: int) -> Ints:
    """Draw how long offline clients keep batches: minutes, hours, days."""
    kept = np.zeros(count, dtype=np.int64)
    late = np.flatnonzero(rng.random(count) < plan.late)
    scale = np.array([10 * MINUTE, 3 * HOUR, DAY])[draw(rng, (0.5, 0.3, 0.2), len(late))]
    kept[late] = MINUTE + (rng.exponential(1.0, len(late)) * scale).astype(np.int64)
    return np.minimum(kept, 20 * DAY)


def _retry_pause(rng: np.random.Generator, count: int) -> Ints:
    """Draw how long clients wait before they send again: seconds, minutes, sometimes a day."""
    scale = np.array([8 * SECOND, 15 * MINUTE, 20 * HOUR])[draw(rng, (0.7, 0.22, 0.08), count)]
    return SECOND + (rng.exponential(1.0, count) * scale).astype(np.int64)
