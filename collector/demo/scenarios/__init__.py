"""The scenarios of the demo, each noting the truth of what it does."""

from collector.demo.scenarios import people, trouble
from collector.demo.scenarios.registry import SCENARIOS, Scenario

__all__ = ["SCENARIOS", "Scenario", "people", "trouble"]
