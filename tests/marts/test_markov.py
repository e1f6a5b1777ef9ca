"""Markov's removal effects, against a reference and plain Python."""

import importlib.util
from collections import Counter
from types import ModuleType

import numpy as np
import pytest
from builders.warehouse import DBT
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def markov() -> ModuleType:
    """The Python model, as a module."""
    found = importlib.util.spec_from_file_location(
        "int_markov_shared", DBT / "models" / "marketing" / "attribution" / "int_markov_shared.py"
    )
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def transitions_of(paths: list[tuple[str, bool]]) -> Counter[tuple[str, str]]:
    """Count the steps of paths such as ("AB", True)."""
    steps: Counter[tuple[str, str]] = Counter()
    for path, converts in paths:
        steps.update(zip(["(start)", *path], [*path, "(conversion)" if converts else "(null)"], strict=True))
    return steps


REFERENCE = [("AB", True), ("AB", True), ("A", False), ("B", True)]


def test_removal_effects_of_the_reference(markov: ModuleType) -> None:
    assert markov.removal_effects(transitions_of(REFERENCE)) == pytest.approx({"A": 2 / 3, "B": 1})


def test_credit_stays_with_own_touches_where_the_totals_allow(markov: ModuleType) -> None:
    shares = markov.share_out([({"A", "B"}, 2), ({"B"}, 1)], {"A": 2 / 3, "B": 1.0})
    assert shares == pytest.approx(np.array([[0.6, 0.4], [0, 1]]))
    # C and D are due 2 of 6 conversions, and 2 touched them; A and B are due 1 and 3 more than they can have.
    shares = markov.share_out([({"A"}, 4), ({"C", "D"}, 2)], {"A": 0.5, "C": 0.5, "D": 0.5})
    assert shares[0] == pytest.approx([0.5, 0.25, 0.25])
    assert shares[1] == pytest.approx([0, 0.5, 0.5])


PATHS = st.lists(st.tuples(st.text("ABCD", min_size=1, max_size=5), st.booleans()), min_size=1, max_size=12)


@given(PATHS.filter(lambda paths: any(converts for _, converts in paths)))
def test_every_conversion_is_shared_out_and_every_channel_gets_its_due(
    markov: ModuleType, paths: list[tuple[str, bool]]
) -> None:
    """GIVEN any paths THEN effects are those of walking the chain to its end, and rows and columns close."""
    steps = transitions_of(paths)
    effects = markov.removal_effects(steps)
    whole = walk(steps)
    assert effects == pytest.approx({name: 1 - walk(steps, name) / whole for name in effects}, abs=1e-6)
    sets = sorted(Counter("".join(sorted(set(path))) for path, converts in paths if converts).items())
    shares = markov.share_out([(set(names), count) for names, count in sets], effects)
    numbers = np.array([count for _, count in sets])
    due = np.array([effects[name] for name in sorted(effects)]) / sum(effects.values()) * numbers.sum()
    assert shares.min() >= 0
    assert shares.sum(axis=1) == pytest.approx(np.ones(len(sets)), abs=1e-9)
    assert numbers @ shares == pytest.approx(due, abs=1e-6)


def walk(steps: Counter[tuple[str, str]], without: str | None = None) -> float:
    """Walk the chain until nearly nobody is under way; return who converted."""
    leaving: Counter[str] = Counter()
    for (origin, _), count in steps.items():
        leaving[origin] += count
    here, converted = {"(start)": 1.0}, 0.0
    for _ in range(3000):
        there: dict[str, float] = {}
        for (origin, target), count in steps.items():
            moved = here.get(origin, 0.0) * count / leaving[origin]
            if target == "(conversion)":
                converted += moved
            elif target not in {"(null)", without}:
                there[target] = there.get(target, 0.0) + moved
        here = there
        if sum(here.values()) < 1e-12:
            break
    return converted
