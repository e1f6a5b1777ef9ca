"""A home moves, is copied, backed up, restored and made again, on the command line that an operator uses."""

import shutil
from pathlib import Path

import duckdb
import pytest
from builders import House, combined, each, events, lines
from builders.command import etl


def views(home: Path) -> list[tuple[object, ...]]:
    """Read the page views of a home as somebody does who has nothing but DuckDB."""
    with duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        return con.execute("select page_id from core.page_views order by all").fetchall()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A published home of a folder with an apostrophe and a blank in its name."""
    house = House(tmp_path_factory.mktemp("it's here"))
    house.put("events/a.jsonl", each(events("10:00 /a", "10:10 /b", "10:20 order", visitor="a", user_id="u")))
    house.put("events/b.jsonl", each(events("10:00 /a", "10:01 nonsense", visitor="b", day="2026-03-02")))
    house.put("pixel/a.log", lines([combined("10:00:00 /px.gif?e=a-p0&a=shop&p=desktop_web&v=a")]))
    house.put("spend/a.csv", b"date,source,medium,campaign,cost\n2026-03-01,google,cpc,spring,1\n")
    house.put("exclusions/a.csv", b"kind,value\nvisitor,nobody\n")
    etl("run", *folders(house))
    return house


def folders(house: House, home: Path | None = None) -> list[str | Path]:
    return ["--inbox", house.root / "inbox", "--home", home or house.root / "home"]


@pytest.mark.prove
def test_a_copied_home_never_reads_the_original_and_a_run_publishes_it_anew(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(house.root / "home", copy)
    with pytest.raises(duckdb.Error, match="published as"):
        views(copy)
    for command in (["summary"], ["report"], ["query", "sessions"], ["suspects"]):
        assert "python -m etl run --home" in etl(*command, "--home", copy, exit_code=1)
    assert "moved or copied" in etl("verify", "--home", copy, exit_code=1)
    etl("run", *folders(house, copy))
    with duckdb.connect(str(copy / "warehouse" / "bloodhound.duckdb"), read_only=True) as con:
        told = str(con.execute("select sql from duckdb_views() where not internal").fetchall())
    assert str(copy) in told and str(house.root / "home") not in told
    assert views(copy) == views(house.root / "home") != []
    assert "every file is what was written" in etl("verify", "--deep", "--home", copy)
    assert "nothing new" in etl("run", *folders(house, copy))


def test_a_home_under_a_second_name_is_the_same_home(house: House, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(house.root / "home")
    assert views(tmp_path / "link") == views(house.root / "home")
    assert etl("run", *folders(house, tmp_path / "link")) == "land: nothing new\nnothing new\n"


def test_status_says_what_a_home_takes_by_what_it_is_for(house: House) -> None:
    """Each file once, by whatever names; nothing is left out."""
    home = house.root / "home"
    rows = {
        line[:24].strip(): line[24:].replace(",", "").split() for line in etl("status", "--home", home).splitlines()
    }
    sizes = {path.stat().st_ino: path.stat().st_size for path in home.rglob("*") if path.is_file()}
    assert int(rows["together"][2]) == sum(sizes.values())
    assert int(rows["together"][0]) == len(sizes)
    raw = [path for path in (home / "lake" / "raw").rglob("*") if path.is_file()]
    assert rows["landed lines"][:3] == [str(len(raw)), "files", str(sum(path.stat().st_size for path in raw))]


@pytest.fixture(scope="module")
def restored(house: House, tmp_path_factory: pytest.TempPathFactory) -> tuple[House, Path, str]:
    """A home restored from a backup that was taken of figures that somebody reads, with a landed file unpublished."""
    root = tmp_path_factory.mktemp("restored")
    source = root / "source"
    shutil.copytree(house.root / "home", source)
    etl("run", *folders(house, source))
    etl("backup", root / "backup", "--home", source)
    reader = duckdb.connect(str(source / "warehouse" / "bloodhound.duckdb"), read_only=True)
    late = house.put("events/late.jsonl", each(events("11:00 /late", visitor="late")))
    try:
        etl("land", *folders(house, source))
        again = etl("backup", root / "backup", "--home", source)
    finally:
        late.unlink()
        reader.close()
    assert "2 of them new" in again, "of a file that landed its lines and its manifest"
    shutil.rmtree(source)
    return house, root, etl("restore", root / "backup", "--home", root / "home")


def test_a_restored_home_says_what_was_published_last(restored: tuple[House, Path, str]) -> None:
    house, root, said = restored
    assert "every table is equal to the last publication" in said
    assert "1 files landed after the last publication; the next run takes them" in said
    assert views(root / "home") == views(house.root / "home")
    assert (root / "home" / "key").stat().st_mode & 0o777 == 0o600


def test_what_had_landed_and_was_not_published_is_taken_by_the_next_run(restored: tuple[House, Path, str]) -> None:
    house, root, _ = restored
    etl("run", *folders(house, root / "home"))
    assert ("late-p0",) in views(root / "home")
    assert "every file is what was written" in etl("verify", "--deep", "--home", root / "home")
    made = etl("rebuild", "--home", root / "home")
    assert "every table is equal to before" in made
    assert "nothing new" in etl("run", *folders(house, root / "home"))


def test_a_backup_is_not_restored_over_a_lake_nor_taken_over_something_else(house: House, tmp_path: Path) -> None:
    etl("backup", tmp_path / "backup", "--home", house.root / "home")
    assert "holds a lake already" in etl(
        "restore", tmp_path / "backup", "--home", house.root / "home", exit_code=2
    )  # fmt: skip
    assert "no backup" in etl("backup", house.root / "inbox", "--home", house.root / "home", exit_code=2)
    assert "there is no backup" in etl("restore", tmp_path, "--home", tmp_path / "home", exit_code=2)
    damaged = max((tmp_path / "backup" / "objects").iterdir(), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert damaged.name in etl("restore", tmp_path / "backup", "--home", tmp_path / "home", exit_code=1)


def test_damaged_lines_are_not_backed_up_as_if_they_were_whole(house: House, tmp_path: Path) -> None:
    copy = tmp_path / "home"
    shutil.copytree(house.root / "home", copy)
    path = next((copy / "lake" / "raw").rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert path.name in etl("backup", tmp_path / "backup", "--home", copy, exit_code=1)
    assert not (tmp_path / "backup" / "backup.json").exists()
