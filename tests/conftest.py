"""What tests share."""

from pathlib import Path

import pytest
from builders import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    """An empty inbox and an empty home."""
    return House(tmp_path)
