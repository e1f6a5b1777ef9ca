"""What tests share."""

import logging
from pathlib import Path

import pytest
import structlog
from builders import House

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a change of meaning be accepted, once its version says so."""
    parser.addoption("--accept-outputs", action="store_true", help="write tests/data/day/outputs.json anew")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty inbox and an empty home."""
    return House(tmp_path)
