"""Believable logs of any size, with the truth beside them.

The same plan gives the same bytes. See `Plan` for everything that can be asked for.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from etl.simulate.engine import Progress, Simulation
from etl.simulate.files import refuse_to_mix
from etl.simulate.plan import FIRST_DAY, Compression, Incident, Plan, read_plan

__all__ = ["FIRST_DAY", "Compression", "Incident", "Plan", "read_plan", "simulate"]


def simulate(
    out: Path,
    plan: Plan | None = None,
    *,
    truth: Path | None = None,
    progress: Progress | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Write an inbox of simulated logs, and the truth about them beside it.

    Args:
        out: the inbox: `events/`, `pixel/`, `spend/` and, if asked for, `access/`, `exclusions/`.
        plan: what to simulate; `changes` are fields of the plan, for short:
            `simulate(inbox, messages=1_000_000, days=7, seed=3)`.
        truth: where the truth goes; by default a folder `truth` beside the inbox.
        progress: told the slots done and the slots there are.

    Returns:
        counts: messages made, sessions, orders, lines, files, bytes (unpacked), bad lines.

    Raises:
        BadUse: the plan makes no sense, or the inbox holds logs already.
    """
    plan = replace(plan or Plan(), **changes)
    refuse_to_mix(out)
    return Simulation(out, truth or out.parent / "truth", plan).run(progress)
