"""Spend: what ads cost, read row by row from the landed exports; what cannot be read goes to quarantine.

Each file is read by itself, so which others there are changes no row of it. Which file's word holds
for a day and campaign is decided where the marts are built.
"""

import codecs
import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from etl.lake import files as lake
from etl.settings import Settings, SpendExport
from etl.stages.land import stage as land
from etl.vocabulary.columns import QUARANTINE, SPEND

SPEND_VERSION = 1
CHUNK_ROWS = 50_000
# Reports that people download begin with a title and a period before their header.
HEADER_WITHIN_LINES = 20
# A quoted name may hold line breaks; a quote that is never closed must not swallow the file.
QUOTED_LINES = 20
LONGEST_ROW = 128 * 2**10
DELIMITERS = ",;\t|"
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)
MICRO = Decimal("0.000001")
MOST = Decimal(10) ** 12

NAMED = ("source", "medium", "campaign")


class Line(NamedTuple):
    """A line of the file; `text` is None when it was longer than the limit or no text."""

    number: int
    text: str | None
    reason: str = "bad_line"
    detail: str = ""
    kept: str = ""


class Refusal(Exception):
    """A row that cannot be read: a reason of the quarantine and what exactly was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Layout:
    """How a file's rows are read: where our columns stand, and what is the same in every row."""

    delimiter: str
    header_line: int
    width: int
    positions: dict[str, int]
    export: SpendExport = field(default_factory=SpendExport)

    @property
    def missing(self) -> list[str]:
        """Our columns without which a row cannot be told from another."""
        return [name for name in NAMED if name not in self.positions and name not in self.export.values]


def fingerprint(settings: Settings, file: dict[str, Any]) -> str:
    """Name all that decides how a landed file's rows are read."""
    exports = [export.model_dump(mode="json") for export in settings.spend_exports]
    return hashlib.sha256(repr((SPEND_VERSION, file["file_id"], exports)).encode()).hexdigest()[:16]


def wanted(settings: Settings) -> dict[str, dict[str, Any]]:
    """The landed spend files that count, by the name of their reading."""
    return {
        fingerprint(settings, file): file
        for file in lake.manifests(settings, "files").values()
        if file["source"] == "spend" and file["status"] in {"landed", "truncated"}
    }


def unread(settings: Settings) -> list[str]:
    """Name the readings that are missing or no longer hold."""
    return sorted(wanted(settings).keys() ^ lake.manifests(settings, "spend").keys())


def counts(settings: Settings) -> dict[str, dict[str, int]]:
    """What became of each file's rows, by file id, as `parse` counts messages."""
    return {f"{entry['file_id']:016x}": entry["counts"] for entry in lake.manifests(settings, "spend").values()}


def read_spend(settings: Settings) -> list[dict[str, Any]]:
    """Read the landed spend files that are new or to be read anew; return their manifests."""
    files, known = wanted(settings), lake.manifests(settings, "spend")
    for name in known.keys() - files.keys():
        lake.manifest_path(settings, "spend", name).unlink()
    for folder, pattern in (("spend", "*.parquet"), ("quarantine", "spend-*.parquet")):
        for path in lake.lake_path(settings, folder).glob(pattern):
            if path.stem.removeprefix("spend-") not in files.keys() & known.keys():
                path.unlink()
    return [read_file(settings, name, files[name]) for name in sorted(files.keys() - known.keys())]


def read_file(settings: Settings, name: str, file: dict[str, Any]) -> dict[str, Any]:
    """Read one landed file; commit; return the manifest."""
    layout = find_layout(lines_of(settings, file), file["source_file"], settings.spend_exports)
    mark = decimal_mark(records(lines_of(settings, file), layout), layout) if layout else None
    tally = {"valid": 0, "quarantined": 0, "bad_lines": 0}
    with lake.staging(settings) as folder:
        parts = {"spend": (folder / "spend.parquet", SPEND), "quarantine": (folder / "quarantine.parquet", QUARANTINE)}
        writers: dict[str, pq.ParquetWriter] = {}
        for good, bad in chunks(judged(settings, file, layout, mark)):
            for dataset, rows in (("spend", good), ("quarantine", bad)):
                path, schema = parts[dataset]
                if rows and dataset not in writers:
                    writers[dataset] = pq.ParquetWriter(path, schema, compression="zstd")
                if rows:
                    writers[dataset].write_table(pa.Table.from_pylist(rows, schema=schema))
            tally["valid"] += len(good)
            tally["quarantined"] += len(bad)
            tally["bad_lines"] += sum(row["reason"] in {"bad_line", "too_large"} for row in bad)
        for dataset, writer in writers.items():
            writer.close()
            target = f"{name}.parquet" if dataset == "spend" else f"spend-{name}.parquet"
            lake.move_into_place(parts[dataset][0], lake.lake_path(settings, dataset, target))
    manifest = {"name": name, "file_id": file["file_id"], "source_file": file["source_file"], "counts": tally}
    lake.write_manifest(lake.manifest_path(settings, "spend", name), manifest)
    return manifest


def chunks(
    rows: Iterable[tuple[bool, dict[str, Any]]],
) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Gather judged rows into pieces of bounded size: (good, bad)."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for is_good, row in rows:
        (good if is_good else bad).append(row)
        if len(good) + len(bad) >= CHUNK_ROWS:
            yield good, bad
            good, bad = [], []
    yield good, bad


def lines_of(settings: Settings, file: dict[str, Any]) -> Iterator[Line]:
    """Read a landed file's lines back as text, in their order and in bounded memory."""
    columns = ["line_number", "line", "line_sha256"]
    paths = [land.raw_path(settings, "spend", day, file["file_id"]) for day in file["partitions"]]
    wide: codecs.IncrementalDecoder | None = None
    held, number = "", 0
    for path in paths:
        with pq.ParquetFile(path) as raw:
            for batch in raw.iter_batches(batch_size=10_000, columns=columns):
                for line_number, line, digest in zip(*(batch[name].to_pylist() for name in columns), strict=True):
                    if line_number == 1 and line[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
                        wide = codecs.getincrementaldecoder("utf-16")(errors="replace")
                    if wide:
                        # A newline of two bytes: what was landed as a line ends in its middle.
                        *whole, held = (held + wide.decode(line + b"\n")).split("\n")
                        for text in whole:
                            number += 1
                            yield Line(number, text.rstrip("\r"))
                    else:
                        yield read_line(line_number, line, digest)
    if held.strip("\0\r\ufffd"):
        yield Line(number + 1, held.rstrip("\r\0\ufffd"))


def read_line(number: int, line: bytes, digest: str | None) -> Line:
    """Decode one line; a mark of the byte order before the first is no text."""
    if digest is not None:
        return Line(number, None, "too_large", f"a longer line begins so, its SHA-256 is {digest}", repr(line)[2:-1])
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
    except UnicodeDecodeError as error:
        return Line(number, None, "bad_line", f"not UTF-8: {error.reason}", line.decode("utf-8", "backslashreplace"))
    return Line(number, text)


def find_layout(lines: Iterable[Line], source_file: str, exports: Sequence[SpendExport]) -> Layout | None:
    """Find the header among the first lines, and what its columns are to us."""
    for line in lines:
        if line.number > HEADER_WITHIN_LINES:
            break
        for delimiter in DELIMITERS:
            layout = read_header(line, delimiter, source_file, exports)
            if layout:
                return layout
    return None


def read_header(line: Line, delimiter: str, source_file: str, exports: Sequence[SpendExport]) -> Layout | None:
    """Read a line as a header; None when it names no day and no cost."""
    cells = split_row(line.text or "", delimiter) or []
    names = {column_name(cell): position for position, cell in reversed(list(enumerate(cells)))}
    file = PurePosixPath(source_file).relative_to("spend").as_posix()
    export = next(
        (
            entry
            for entry in exports
            if fnmatchcase(file, entry.files) and {column_name(name) for name in entry.header} <= names.keys()
        ),
        SpendExport(),
    )
    theirs = {ours: names.get(column_name(name)) for ours, name in export.columns.items()}
    positions = {name: names[name] for name in ("date", *NAMED, *NUMBERS, "currency") if name in names}
    positions |= {ours: position for ours, position in theirs.items() if position is not None}
    if "date" not in positions or not {"cost", "cost_micros"} & positions.keys():
        return None
    return Layout(delimiter, line.number, len(cells), positions, export)


NUMBERS = ("impressions", "clicks", "cost", "cost_micros")


def column_name(cell: str) -> str:
    """Bring a column's title to one spelling: "Cost Micros" is cost_micros."""
    return "_".join(cell.strip().lower().split())


def split_row(text: str, delimiter: str) -> list[str] | None:
    """Split a row into cells; None while a quote is open."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


Record = tuple[Line, list[str] | None]


def records(lines: Iterable[Line], layout: Layout) -> Iterator[Record]:
    """Read the rows after the header: the line on which each begins, with its text, and its cells if it has any.

    A row goes on over the next lines while a quote is open; when that does not close soon, the line is bad alone.
    """
    waiting: list[Line] = []
    stream = iter(lines)
    while True:
        line = waiting.pop(0) if waiting else next(stream, None)
        if line is None:
            return
        if line.number <= layout.header_line or line.text is None:
            if line.number != layout.header_line:
                yield line, None
            continue
        cells, text, taken = split_row(line.text, layout.delimiter), line.text, 0
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
            cells = split_row(text, layout.delimiter)
        if cells is None:
            yield line._replace(text=None, detail="a quote is not closed", kept=line.text), None
            continue
        del waiting[:taken]
        if any(cell.strip() for cell in cells):
            yield line._replace(text=text), cells


def judged(
    settings: Settings, file: dict[str, Any], layout: Layout | None, mark: str | None
) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Read every row of a file: (True, a row of `SPEND`) or (False, a row of `QUARANTINE`)."""
    where = {"source_file": file["source_file"]}
    if layout is None:
        for line in lines_of(settings, file):
            if line.text is None or line.text.strip():
                refusal = Refusal("unknown_schema", "no header within 20 lines names a date and a cost")
                yield False, refused(where, file, line, refusal if line.text is not None else None)
        return
    for line, cells in records(lines_of(settings, file), layout):
        if cells is None:
            title = line.text is not None
            if title and not (line.text or "").strip():
                continue
            before = Refusal("bad_line", "stands before the header") if title else None
            yield False, refused(where, file, line, before)
            continue
        try:
            yield True, where | {"line_number": line.number} | read_row(cells, layout, mark)
        except Refusal as refusal:
            yield False, refused(where, file, line, refusal)


def refused(where: dict[str, Any], file: dict[str, Any], line: Line, refusal: Refusal | None) -> dict[str, Any]:
    """Make the quarantine's row of a line; without a refusal, the line says itself what is wrong."""
    return where | {
        "line_number": line.number,
        "reason": refusal.reason if refusal else line.reason,
        "detail": refusal.detail if refusal else line.detail,
        "payload": line.kept if line.text is None else line.text,
        "file_id": file["file_id"],
    }


def read_row(cells: Sequence[str], layout: Layout, mark: str | None) -> dict[str, Any]:
    """Read one row's cells into the columns of `SPEND`.

    Raises:
        Refusal: a cell that must be there is not, or cannot be read.
    """
    if len(cells) < layout.width or any(cell.strip() for cell in cells[layout.width :]):
        raise Refusal("bad_line", f"{len(cells)} cells, the header has {layout.width}")
    if layout.missing:
        raise Refusal(
            "unknown_schema",
            f"the header has no {', '.join(layout.missing)}: name a column or a value in spend_exports",
        )
    given = {name: cells[position].strip() for name, position in layout.positions.items()}
    read = layout.export.values | {name: text for name, text in given.items() if text}
    if "date" not in read:
        raise Refusal("missing_key", "date is empty")
    if not {"cost", "cost_micros"} & read.keys():
        raise Refusal("missing_key", "cost is empty")
    campaign = read.get("campaign")
    return {
        "date": read_date(read["date"], layout.export.date_format),
        "source": read.get("source"),
        "medium": read.get("medium"),
        "campaign": layout.export.campaigns.get(campaign, campaign) if campaign else None,
        "impressions": read_count("impressions", read.get("impressions")),
        "clicks": read_count("clicks", read.get("clicks")),
        "cost": (
            read_amount("cost", read["cost"], mark)
            if "cost" in read
            else read_amount("cost_micros", read["cost_micros"], mark)
        ),
        "currency": read_currency(read.get("currency")),
    }


ISO_DAY = re.compile(r"(\d{4})([-/]?)(\d\d)\2(\d\d)(?:[T ].*)?")
DOTTED_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def read_date(text: str, pattern: str | None = None) -> date:
    """Read 2026-03-01, 2026/03/01, 20260301 (a time of day may follow) or 01.03.2026, or what the settings say.

    Raises:
        Refusal: neither. 03/01/2026 is March or January, so it is not guessed.
    """
    try:
        if pattern:
            day = datetime.strptime(text, pattern).date()
        elif iso := ISO_DAY.fullmatch(text):
            day = date(int(iso[1]), int(iso[3]), int(iso[4]))
        elif dotted := DOTTED_DAY.fullmatch(text):
            day = date(int(dotted[3]), int(dotted[2]), int(dotted[1]))
        else:
            raise ValueError
    except ValueError as error:
        raise Refusal("malformed_key", f"date is {text[:100]!r}") from error
    if not FIRST_DAY <= day < LAST_DAY:
        raise Refusal("malformed_key", f"date is {text[:100]!r}, which is no day of ours")
    return day


def read_currency(text: str | None) -> str | None:
    """Read an ISO 4217 code; none is the reporting currency's, and said so where money is converted."""
    code = (text or "").upper()
    if code and not re.fullmatch("[A-Z]{3}", code):
        raise Refusal("malformed_key", f"currency is {(text or '')[:100]!r}")
    return code or None


SPACES = " \u00a0\u2009\u202f"
GROUPED = re.compile(rf"[1-9]\d{{0,2}}([.,'\u2019{SPACES}])(?:\d{{2,3}}\1)*\d{{3}}(?:(?!\1)([.,])\d+)?")
UNDECIDED = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
PLAIN = re.compile(r"\d*(?:([.,])\d*)?")
SCIENTIFIC = re.compile(r"\d+(?:\.\d+)?[eE][+-]?\d{1,3}")
WHOLE = re.compile(r"\d{1,18}")
MINUS = "-\u2212"
NOTHING = {"", "-", "--"}
LONGEST_NUMBER = 60


def decimal_mark(rows: Iterable[Record], layout: Layout) -> str | None:
    """Say which mark stands before a file's decimals: "." or ","; "" when its rows contradict each other.

    1.234 alone is one or a thousand; 1.234,5 or 0,50 in another row says which. Counts are whole, so that
    12.345 clicks tell as well. Without any such row it is None, and a semicolon between cells speaks for ",".
    """
    if layout.export.decimal:
        return layout.export.decimal
    places = [(layout.positions[name], name) for name in ("cost", "impressions", "clicks") if name in layout.positions]
    found: set[str] = set()
    for _, cells in rows:
        for position, name in places if cells and len(cells) >= layout.width else ():
            found |= evidence((cells or [])[position].strip().lstrip(f"+{MINUS}"), is_count=name != "cost")
    if len(found) > 1:
        return ""
    return next(iter(found), "," if layout.delimiter == ";" else None)


def evidence(text: str, *, is_count: bool) -> set[str]:
    """What one number's writing says of the decimal mark, if anything."""
    other = {".": ",", ",": "."}
    if undecided := UNDECIDED.fullmatch(text):
        return {other[undecided[1]]} if is_count else set()
    if grouped := GROUPED.fullmatch(text):
        mark = grouped[2] or other.get(grouped[1])
        return {mark} if mark else set()
    if (plain := PLAIN.fullmatch(text)) and plain[1]:
        return {plain[1]}
    return set()


def read_amount(name: str, text: str, mark: str | None) -> Decimal:
    """Read an amount of money as people and machines write it, to a millionth: 1234.5, 1,234.56, 1.234,56.

    Args:
        name: our column; of `cost_micros` a million is one, and its marks are thousands'.
        mark: the file's decimal mark, for a number that could be read either way.

    Raises:
        Refusal: it is no number, too large, or could be either of two.
    """
    body = text[1:] if text[:1] in {"+", *MINUS} else text
    is_micros = name == "cost_micros"
    try:
        amount = Decimal(plain_number(body, mark, is_count=is_micros)) * (MICRO if is_micros else 1)
        if amount >= MOST:
            raise InvalidOperation
        return (-amount if text[:1] in set(MINUS) else amount).quantize(MICRO)
    except InvalidOperation as error:
        either = ", which can be read in two ways" if mark == "" and UNDECIDED.fullmatch(body) else ""
        raise Refusal("malformed_key", f"{name} is {text[:100]!r}{either}") from error


def plain_number(body: str, mark: str | None, *, is_count: bool = False) -> str:
    """Write a number without its thousands' marks and with a point; "" when it is none."""
    if len(body) > LONGEST_NUMBER:
        return ""
    if SCIENTIFIC.fullmatch(body):
        return body
    if undecided := UNDECIDED.fullmatch(body):
        if is_count or (mark != "" and undecided[1] != (mark or ".")):
            return body.replace(undecided[1], "")
        return body.replace(",", ".") if mark != "" else ""
    if grouped := GROUPED.fullmatch(body):
        return body.replace(grouped[1], "").replace(",", ".")
    return body.replace(",", ".") if PLAIN.fullmatch(body) and body.strip(".,") else ""


def read_count(name: str, text: str | None) -> int | None:
    """Read a whole number, thousands' marks or not; an empty cell is not known.

    Raises:
        Refusal: it is no whole number.
    """
    if text is None or text in NOTHING:
        return None
    digits = plain_number(re.sub(r"[.,]0{1,2}$", "", text), None, is_count=True)
    if not WHOLE.fullmatch(digits):
        raise Refusal("malformed_key", f"{name} is {text[:100]!r}")
    return int(digits)
