"""What decides rows beside data: this project's code, what people edit, and the libraries that read values."""

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from etl.settings import PROJECT, Settings

LIBRARIES = ("duckdb", "pyarrow", "orjson", "regex", "tldextract", "idna", "ua-parser", "ua-parser-rs", "is-bot")


def code_digest(settings: Settings) -> str:
    """Name the code, the configuration and the libraries of this machine."""
    return digest_of(settings.tracking_plan)


@lru_cache(maxsize=8)
def digest_of(tracking_plan: Path) -> str:
    """Read them once a process."""
    found = hashlib.sha256()
    for root, pattern in ((PROJECT / "etl", "*.py"), (PROJECT / "etl", "*.sql"), (PROJECT / "conf", "*.toml")):
        add(found, root, pattern)
    add(found, tracking_plan, "*")
    for name in LIBRARIES:
        found.update(f"{name} {version(name)}\n".encode())
    return found.hexdigest()


def add(found: "hashlib._Hash", root: Path, pattern: str) -> None:
    """Add the files below a folder, by name and content."""
    for path in sorted(path for path in root.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts):
        content = path.read_bytes()
        found.update(f"{path.relative_to(root)} {len(content)}\n".encode())
        found.update(content)
