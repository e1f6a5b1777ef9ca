"""What may stand in conf/collector.toml, and what may not."""

from pathlib import Path
from typing import Any

import pytest
from builders.collector import made

from collector import processes
from collector.rendering import WITNESSES, render
from collector.settings import FILE, CollectorSettings, load_collector_settings
from collector.snippet import page_snippet
from etl.errors import BadUse
from etl.settings import PROJECT, Settings


def test_the_file_names_every_setting_and_says_its_default(tmp_path: Path) -> None:
    said = load_collector_settings(Settings(home=tmp_path, inbox=tmp_path)).model_dump()
    fields = CollectorSettings.model_fields
    text = FILE.read_text()
    for name in fields.keys() - {"inbox", "home", "trusted_proxies", "batch_paths"}:
        assert f"\n{name} = " in text
        assert said[name] == fields[name].get_default()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sites", []),
        ("sites", ['x"; }']),
        ("sites", ["Shop Example"]),
        ("listen", ["127.0.0.1; include /etc/passwd"]),
        ("post_paths", ["/a b"]),
        ("post_paths", ["/a{"]),
        ("cookie_name", "a;b"),
        ("cookie_days", 401),
        ("certificate", "/etc/x.pem"),
        ("worker_user", "root; load_module x"),
        ("rotate_seconds", 7),
        ("nonsense", 1),
    ],
)
def test_what_makes_no_sense_or_breaks_out_is_refused_by_name(tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(BadUse, match=setting):
        made(tmp_path / "home", **{setting: value})


@pytest.mark.parametrize("name", ["a b", "a'b", "a;b", "x" * 100])
def test_a_home_that_nginx_cannot_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadUse):
        made(tmp_path / name)


def test_nothing_listens_beyond_loopback_unless_told_so(tmp_path: Path) -> None:
    settings = made(tmp_path / "home")
    for witness in WITNESSES:
        listens = [line.split()[1] for line in render(settings, witness).splitlines() if line.strip()[:6] == "listen"]
        assert listens and all(each.startswith(("127.0.0.1:", "unix:")) for each in listens)


@pytest.mark.parametrize(
    "given",
    [
        {"listen": ["127.0.0.1", "::1"]},
        {"sites": ["shop.example", "xn--bcher-kva.example", "shop-2.co.uk"], "post_paths": ["/t", "/hello"]},
        {"trusted_proxies": ["10.0.0.0/8", "2001:db8::/32"], "proxy_protocol": True},
        {"is_https": False, "rotate_seconds": 60, "cookie_name": "n"},
    ],
)
def test_nginx_takes_what_is_rendered(nginx: str, place: Path, given: dict[str, Any]) -> None:
    settings = made(place / f"rendered-{abs(hash(str(given)))}", **given)
    processes.prepare(settings)  # It runs `nginx -t`.


def test_nginx_s_own_complaint_is_told(nginx: str, place: Path) -> None:
    settings = made(place / "no-certificate", certificate="/nowhere.pem", certificate_key="/nowhere.key")
    with pytest.raises(processes.CollectorFailed, match="cannot load certificate"):
        processes.prepare(settings)


def test_the_lines_to_paste_are_about_twenty_and_name_both_hosts(tmp_path: Path) -> None:
    lines = page_snippet(made(tmp_path / "home"), "shop")
    assert len(lines.splitlines()) <= 25
    for part in ('app: "shop"', "https://t.shop.example/bh.js", "https://px.shop.example/page.gif?a=shop&amp;p=web"):
        assert part in lines
    with pytest.raises(BadUse):
        page_snippet(made(tmp_path / "other"), '"><script>')


def test_the_tracker_is_pinned_to_the_byte() -> None:
    page = PROJECT / "collector" / "page"
    named = (page / "package.json").read_text()
    assert "^" not in named and "~" not in named
    locked = (page / "package-lock.json").read_text()
    assert locked.count('"integrity": "sha512-') > 20 and '"resolved"' not in locked
