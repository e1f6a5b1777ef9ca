"""The home's key, under which pseudonyms are made: BLOODHOUND_KEY, else one made once in the home, for its owner alone.

Whoever has it can try out from which address a visitor came; without it a visitor id says nothing of that. The same
logs under the same key give the same ids.
"""

import hashlib
import hmac
import os
import secrets

from etl.lake import files
from etl.settings import Settings

KEY_BYTES = 32


def read_key(settings: Settings) -> bytes:
    """Read the home's key; empty while there is none."""
    given = settings.key.get_secret_value() or settings.ip_key.get_secret_value()
    if given:
        return given.encode()
    try:
        return settings.home.joinpath("key").read_bytes().strip()
    except FileNotFoundError:
        return b""


def make_key(settings: Settings) -> None:
    """Make the home's key if none is set and none was made."""
    if read_key(settings):
        return
    path = settings.home / "key"
    files.make_folder(settings.home)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode() + b"\n")
        files.move_into_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def key_digest(settings: Settings) -> str:
    """Name the key without telling it."""
    return hmac.new(read_key(settings), b"fingerprint", hashlib.sha256).hexdigest()[:16]
