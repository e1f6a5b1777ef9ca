"""What is set is obeyed, or refused in one line: nothing that somebody wrote is passed over."""

import re
from pathlib import Path

import pytest

from etl.errors import BadUse
from etl.settings import OTHER_NAMES, PROJECT, Settings, load_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file of one's own."""
    path = tmp_path / "mine.toml"
    monkeypatch.setitem(Settings.model_config, "toml_file", path)
    monkeypatch.setenv("BLOODHOUND_SETTINGS", str(path))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sesion_gap_minutes = 3", "there is no setting sesion_gap_minutes. Do you mean session_gap_minutes?"),
        ("[[spend_exports]]\ncolums = {}", "there is no setting spend_exports.0.colums. Do you mean columns?"),
        (
            "[[conversions]]\nname = 'a'\nschema = 'b'\nonce = 'x'",
            "no setting conversions.0.once. Do you mean once_per?",
        ),
        ("session_gap_minutes = 'long'", "setting session_gap_minutes: Input should be a valid integer"),
        ("reporting_timezone = 'Mars'", "setting reporting_timezone: 'Mars' is no time zone"),
        ("engine = 'sparc'", "setting engine: Input should be 'duckdb' or 'spark'"),
        ("spark_master = 'spark://cluster'", "setting spark_master: 'spark://cluster' names no cluster, as local[2]"),
        ("spark_master = 'sc://cluster:15002'", "setting spark_master: 'sc://cluster:15002' names no cluster"),
        ("threads = ]", "mine.toml is not TOML: Invalid value (at line 1"),
    ],
)
def test_a_file_that_says_what_nobody_reads_is_refused(file: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(BadUse, match=re.escape(said)):
        load_settings()


def test_a_file_that_was_named_and_is_missing_is_refused(file: Path) -> None:
    with pytest.raises(BadUse, match=r"there is no settings file .*mine\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BLOODHOUND_SESION_GAP", "3", "no setting BLOODHOUND_SESION_GAP in the environment. Do you mean BLOODHOUND_S"),
        ("BLOODHOUND_XYZZY", "1", "no setting BLOODHOUND_XYZZY in the environment. See"),
        ("BLOODHOUND_OWN_HOSTS", "shop.example", 'error parsing value for field "own_hosts"'),
        ("BLOODHOUND_THREADS", "0", "setting threads: Input should be greater than 0"),
    ],
)
def test_an_environment_that_says_what_nobody_reads_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadUse, match=re.escape(said)):
        load_settings()


def test_what_is_set_is_obeyed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("session_gap_minutes = 20\nthreads = 1")
    monkeypatch.setenv("BLOODHOUND_THREADS", "3")
    settings = load_settings(home=Path("elsewhere"))
    assert (settings.session_gap_minutes, settings.threads) == (20, 3)
    assert settings.home == Path("elsewhere").absolute()


def test_every_name_that_is_read_from_the_environment_is_known() -> None:
    rooms = [PROJECT / room for room in ("etl", "dags", "ops", "plugins", "dbt_project", "notebooks")]
    sources = [path for room in rooms for path in room.rglob("*") if path.suffix in {".py", ".sql", ".yml"}]
    read = {
        name
        for path in [*sources, PROJECT / "Makefile", PROJECT / "airflow.cfg", PROJECT / ".ci" / "run"]
        for name in re.findall(r"BLOODHOUND_[A-Z_]*[A-Z]\b", path.read_text())
    }
    known = {f"BLOODHOUND_{name.upper()}" for name in {*OTHER_NAMES, *Settings.model_fields}}
    assert "BLOODHOUND_WEBHOOK_URL" in read and read - known == set()
