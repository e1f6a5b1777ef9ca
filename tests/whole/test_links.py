"""Every link from a page of the project to another leads there, to the heading too."""

import re
from pathlib import Path

import pytest

from etl.settings import PROJECT

PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("benchmarks/*.md")]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]*))?\)")


def slug(title: str) -> str:
    """Make a heading's anchor as GitHub does."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    texts = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text) for text in found)
    return {slug(text) for text in texts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(f"{path}#{anchor}")
    assert lost == []


def test_every_decision_is_listed() -> None:
    folder = PROJECT / "docs" / "decisions"
    listed = set(re.findall(r"\]\((\w+\.md#[^)]*)\)", (folder / "README.md").read_text()))
    dated = re.compile(r"^## (.*)\n\n\*\d{4}-\d\d-\d\d\*$", re.MULTILINE)
    made = {f"{page.name}#{slug(title)}" for page in folder.glob("*.md") for title in dated.findall(page.read_text())}
    assert len(made) > 50 and listed == made
