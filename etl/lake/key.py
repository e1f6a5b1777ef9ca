"""The home's key, under which pseudonyms are made: BLOODHOUND_KEY, else one made once in the home, for its owner alone.

Whoever has it can try out from which address a visitor came; without it a visitor id says nothing of that. The same
logs under the same key give the same ids.
"""

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

import msgspec

from etl.errors import Damaged
from etl.lake import files
from etl.settings import Settings

KEY_BYTES = 32
SOUND = re.compile(rb"[!-~]{16,}")
"""What a key looks like: what was cut or overwritten does not."""
FROM_BACKUP = "Put it back from a backup, or set BLOODHOUND_KEY; under another, people would be others"


class Known(msgspec.Struct, frozen=True):
    """Under which key the home's pseudonyms were made, without telling it."""

    digest: str


def read_key(settings: Settings) -> bytes:
    """Read the home's key; empty while there is none.

    Raises:
        Damaged: what is there is none.
    """
    given = given_key(settings)
    if given:
        return given.encode()
    path = settings.home / "key"
    try:
        found = path.read_bytes().strip()
    except FileNotFoundError:
        return b""
    if not SOUND.fullmatch(found):
        raise Damaged(f"{path} is no key", FROM_BACKUP)
    return found


def given_key(settings: Settings) -> str:
    """Read the key that is set, if one is."""
    return settings.key.get_secret_value() or settings.ip_key.get_secret_value()


def note_path(settings: Settings) -> Path:
    """Name the file that says under which key the home was made."""
    return settings.home / "key.json"


def require_key(settings: Settings) -> None:
    """Refuse to go on under another key than that of the home, unless one is set.

    Raises:
        Damaged: the key is gone, or is another; the message names the file.
    """
    note = note_path(settings)
    found = read_key(settings)
    if given_key(settings) or not note.exists():
        return
    path = settings.home / "key"
    if not found:
        raise Damaged(f"the home's key, {path}, is gone", FROM_BACKUP)
    try:
        known = msgspec.json.decode(note.read_bytes(), type=Known)
    except msgspec.DecodeError as error:
        raise Damaged(f"{note} cannot be read: {error}", "Remove it, if the key is the right one") from error
    if known.digest != key_digest(settings):
        raise Damaged(f"{path} is not the key of this home", FROM_BACKUP)


def make_key(settings: Settings) -> None:
    """Make the home's key if none is set and none was made, and note which it is.

    Raises:
        Damaged: one was made, and is gone, or is another.
    """
    require_key(settings)
    if not read_key(settings):
        write_key(settings)
    known = msgspec.json.encode(Known(key_digest(settings)))
    if not note_path(settings).exists() or note_path(settings).read_bytes() != known:
        files.write_bytes(note_path(settings), known)


def write_key(settings: Settings) -> None:
    """Make a key, for its owner alone."""
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
