"""Delimited text: bytes of a spreadsheet's or a platform's export as lines of text, and lines as rows of cells."""

import codecs
import csv
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import NamedTuple

DELIMITERS = ",;\t|"
# A quoted name may hold line breaks; a quote that is never closed must not swallow the file.
QUOTED_LINES = 20
LONGEST_ROW = 128 * 2**10
NOT_TEXT = "\0\r\ufeff"

RawLine = tuple[int, bytes, str | None]
"""A landed line: its number, its bytes without the newline, and its digest if only its beginning was kept."""

SIGNATURES = {
    b"PK\x03\x04": "an Excel workbook or another archive", b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"%PDF": "a PDF", b"<": "XML or HTML", b"{": "JSON", b"[{": "JSON", b"PAR1": "Parquet",
}  # fmt: skip


class Line(NamedTuple):
    """A line of the file; `text` is None when it was longer than the limit or no text."""

    number: int
    text: str | None
    reason: str = "bad_line"
    detail: str = ""
    kept: str = ""


def looks_like(lines: Iterable[RawLine]) -> str | None:
    """Name what a file is that holds no rows, by its first bytes."""
    start = next((line for _, line, _ in lines), b"").removeprefix(codecs.BOM_UTF8).lstrip()
    return next((name for signature, name in SIGNATURES.items() if start.startswith(signature)), None)


def find_encoding(lines: Iterable[RawLine]) -> str:
    """Say how a file's characters are written.

    A file of which no line beyond ASCII is UTF-8 comes from a spreadsheet on Windows; where some are, the others are
    damaged.
    """
    is_utf8 = is_other = False
    for number, line, sha256 in lines:
        if number == 1:
            if line[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
                return "utf-16"
            if len(line) > 1 and not any(line[1:64:2]) and line[0]:
                return "utf-16-le"
            if len(line) > 1 and not any(line[:64:2]) and line[1]:
                return "utf-16-be"
        if sha256 is None and not line.isascii():
            try:
                line.decode("utf-8")
                is_utf8 = True
            except UnicodeDecodeError:
                is_other = True
    return "cp1252" if is_other and not is_utf8 else "utf-8"


def decoded(lines: Iterable[RawLine], encoding: str) -> Iterator[Line]:
    """Read landed lines as text; lines that end in a carriage return alone are told apart, and numbered, here."""
    found = decoded_wide(lines, encoding) if encoding.startswith("utf-16") else decoded_narrow(lines, encoding)
    first = next(found, None)
    if first is None:
        return
    if "\r" not in (first.text or ""):
        yield first
        yield from found
        return
    numbers = count(1)
    for line in chain([first], found):
        if line.text is None:
            yield line._replace(number=next(numbers))
        else:
            yield from (Line(next(numbers), text) for text in line.text.split("\r"))


def decoded_narrow(lines: Iterable[RawLine], encoding: str) -> Iterator[Line]:
    """Read lines of which each is text by itself."""
    for number, line, sha256 in lines:
        if sha256 is not None:
            detail = f"a longer line begins so, its SHA-256 is {sha256}"
            yield Line(number, None, "too_large", detail, repr(line)[2:-1])
            continue
        try:
            yield Line(number, line.decode(encoding).strip(NOT_TEXT))
        except UnicodeDecodeError as error:
            detail = f"not {encoding.upper()}: {error.reason}"
            yield Line(number, None, "bad_line", detail, line.decode("utf-8", "backslashreplace"))


def decoded_wide(lines: Iterable[RawLine], encoding: str) -> Iterator[Line]:
    """Read lines of UTF-16: a newline is two bytes, so that what was landed as a line ends in its middle."""
    wide = codecs.getincrementaldecoder(encoding)(errors="replace")
    held, numbers = "", count(1)
    for _, line, _ in lines:
        *whole, held = (held + wide.decode(line + b"\n")).split("\n")
        for text in whole:
            yield Line(next(numbers), text.strip(NOT_TEXT))
    if held.strip(NOT_TEXT + "\ufffd"):
        yield Line(next(numbers), held.strip(NOT_TEXT + "\ufffd"))


def split_row(text: str, delimiter: str) -> list[str] | None:
    """Split a row into cells; None while a quote is open."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


Record = tuple[Line, list[str] | None]


def records(lines: Iterable[Line], delimiter: str) -> Iterator[Record]:
    """Read rows: the line on which each begins, with its text, and its cells if it has any; blank ones are left out.

    A row goes on over the next lines while a quote is open; when that does not close soon, the line is bad alone.
    """
    waiting: list[Line] = []
    stream = iter(lines)
    while True:
        line = waiting.pop(0) if waiting else next(stream, None)
        if line is None:
            return
        if line.text is None:
            yield line, None
            continue
        cells, text, taken = split_row(line.text, delimiter), line.text, 0
        while cells is None and taken < QUOTED_LINES and len(text) < LONGEST_ROW:
            if taken == len(waiting):
                more = next(stream, None)
                if more is None:
                    break
                waiting.append(more)
            following = waiting[taken].text
            if following is None:
                break
            taken += 1
            text += "\n" + following
            cells = split_row(text, delimiter)
        if cells is None:
            yield line._replace(text=None, detail="a quote is not closed", kept=line.text), None
            continue
        del waiting[:taken]
        if any(cell.strip() for cell in cells):
            yield line._replace(text=text), cells
