"""Markov attribution of a month: what each channel is due, and which conversions' credit makes it up.

A path is a chain of order 1 from start over channels to conversion or to nothing. A channel's removal effect is
the part of the conversions that would be missing if every step into the channel led to nothing; chances of
conversion are solved for exactly. A channel is due its part of all effects, times the month's conversions.

Credit belongs to a conversion's own touches. So the conversions are shared out among the channels they touched such
that each adds up to one and each channel to its due (iterative proportional fitting, from the effects). A channel may
be due more than the conversions it touched can give; then those channels that have more than their due give the rest
up, evenly, and it stands without a touch.
"""

from collections import defaultdict

import numpy as np
import pyarrow as pa

START, CONVERSION, NOTHING = "(start)", "(conversion)", "(null)"
SEPARATOR = " + "
ROUNDS = 500
EXACT = 1e-12
# Less credit than this is none.
SMALLEST_SHARE = 1e-9


def removal_effects(transitions):
    """Say for each channel which part of the conversions hangs on it.

    Args:
        transitions: (from, to) → how often, with the states `(start)`, `(conversion)`, `(null)`.
    """
    states = sorted({state for step in transitions for state in step} - {START, CONVERSION, NOTHING})
    place = {state: number for number, state in enumerate([*states, START, CONVERSION, NOTHING])}
    counts = np.zeros((len(place), len(place)))
    for (origin, target), count in sorted(transitions.items()):
        counts[place[origin], place[target]] += count
    chances = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    def conversion_chance(kept):
        among = chances[np.ix_(kept, kept)]
        ends = np.linalg.solve(np.eye(len(kept)) - among, chances[kept, place[CONVERSION]])
        return chances[place[START], kept] @ ends

    channels = np.arange(len(states))
    whole = conversion_chance(channels)
    return {
        state: float(1 - conversion_chance(np.delete(channels, place[state])) / whole) if whole else 0.0
        for state in states
    }


def share_out(channel_sets, effects):
    """Share each conversion out among the channels.

    Args:
        channel_sets: (channels a conversion touched, how many conversions touched just these).
        effects: removal effect of each channel.

    Returns:
        an array with a row a channel set and a column a channel in order of name; its rows add up to one, and its
        columns, weighted with the numbers of conversions, to what the channels are due.
    """
    channels = sorted(effects)
    effect = np.array([max(effects[channel], 0.0) for channel in channels])
    numbers = np.array([number for _, number in channel_sets], float)
    own = np.array([[channel in touched for channel in channels] for touched, _ in channel_sets]) * effect
    due = effect / effect.sum() * numbers.sum()
    factor = np.ones(len(channels))
    before = np.zeros(len(channels))
    for _ in range(ROUNDS):
        shares = own * factor
        shares /= shares.sum(axis=1, keepdims=True)
        got = numbers @ shares
        if np.abs(got - before).max() <= EXACT * numbers.sum():
            break
        before = got
        factor = np.maximum(factor * np.where(got > 0, due / np.where(got > 0, got, 1), 1), 1e-200)
        factor /= factor.max()
    shares = np.where(shares < SMALLEST_SHARE, 0, shares)
    shares /= shares.sum(axis=1, keepdims=True)
    got = numbers @ shares
    lack = np.maximum(due - got, 0)
    if lack.sum() > SMALLEST_SHARE * numbers.sum():
        shares *= np.where(got > due, due / np.where(got > 0, got, 1), 1)
        shares += (1 - shares.sum(axis=1, keepdims=True)) * lack / lack.sum()
    return shares


def share_months(transitions, channel_sets):
    """Share out every month of every conversion.

    Args:
        transitions: rows of int_markov_transitions.
        channel_sets: rows of int_markov_channel_sets.

    Returns:
        columns → values: conversion, conversion_month, channel_set, channel, removal_effect, share.
    """
    steps, sets = defaultdict(dict), defaultdict(list)
    for conversion, month, origin, target, count in transitions:
        steps[conversion, month][origin, target] = count
    for conversion, month, channel_set, count in sorted(channel_sets):
        sets[conversion, month].append((channel_set, count))
    names = ("conversion", "conversion_month", "channel_set", "channel", "removal_effect", "share")
    made = {name: [] for name in names}
    for conversion, month in sorted(sets):
        effects = removal_effects(steps[conversion, month])
        listed = [(set(text.split(SEPARATOR)), count) for text, count in sets[conversion, month]]
        for (channel_set, _), row in zip(sets[conversion, month], share_out(listed, effects), strict=True):
            for channel, share in zip(sorted(effects), row.tolist(), strict=True):
                values = (conversion, month, channel_set, channel, effects[channel], share)
                for name, value in zip(names, values, strict=True):
                    made[name].append(value)
    return made


def model(dbt, session):
    """Build the model; `session` is DuckDB's connection."""
    dbt.config(materialized="in_place_table")

    def rows(relation, columns):
        table = relation.select(columns).to_arrow_table()
        return list(zip(*(table[column].to_pylist() for column in table.column_names), strict=True))

    steps = "conversion, conversion_month, from_state, to_state, transition_count"
    sets = "conversion, conversion_month, channel_set, conversion_count"
    made = share_months(rows(dbt.ref("int_markov_transitions"), steps), rows(dbt.ref("int_markov_channel_sets"), sets))
    types = {"conversion_month": pa.date32(), "removal_effect": pa.float64(), "share": pa.float64()}
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in made.items()})
