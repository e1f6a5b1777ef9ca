"""The block list: what is on it, what nginx does with it, and how it is undone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders.collector import Running, made

from collector import processes
from collector.blocking import block, block_list, read_blocks, read_suggestions, unblock, write_blocks
from collector.settings import CollectorSettings
from etl.errors import BadUse

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=24)


@pytest.fixture
def settings(tmp_path: Path) -> CollectorSettings:
    """A collector that trusts a proxy."""
    settings = made(tmp_path / "home", trusted_proxies=["192.0.2.0/28"])
    settings.run.mkdir(parents=True)
    return settings


def for_nginx(settings: CollectorSettings) -> str:
    return (settings.run / "blocked.conf").read_text()


def test_a_block_has_a_reason_an_end_and_somebody_s_word(settings: CollectorSettings) -> None:
    assert block(settings, "203.0.113.7", "fan_out (12 pages a second)", LATER, "ada", NOW)
    assert for_nginx(settings) == '203.0.113.7/32 "fan_out (12 pages a second)";\n'
    assert block_list(settings).read_text() == (
        "network,reason,until,by\n203.0.113.7/32,fan_out (12 pages a second),2026-03-02T10:00:00+00:00,ada\n"
    )


def test_a_block_ends_by_itself(settings: CollectorSettings) -> None:
    block(settings, "203.0.113.7", "bot", LATER, "ada", NOW)
    assert not write_blocks(settings, read_blocks(settings), LATER - timedelta(seconds=1))
    assert write_blocks(settings, read_blocks(settings), LATER)
    assert for_nginx(settings) == ""
    assert len(read_blocks(settings)) == 1


def test_what_is_said_again_replaces_what_was_said(settings: CollectorSettings) -> None:
    block(settings, "2001:db8::/64", "bot", NOW, "ada", NOW)
    block(settings, "2001:db8::/64", "worse bot", LATER, "bob", NOW)
    assert for_nginx(settings) == '2001:db8::/64 "worse bot";\n'
    assert unblock(settings, "2001:db8::/64", NOW)
    assert (for_nginx(settings), read_blocks(settings)) == ("", [])


@pytest.mark.parametrize(
    ("network", "reason", "complaint"),
    [
        ("nonsense", "bot", "is no address"),
        ("203.0.0.0/16", "bot", "is too wide"),
        ("2001:db8::/32", "bot", "is too wide"),
        ("192.0.2.3", "bot", "is a trusted proxy"),
        ("192.0.2.0/24", "bot", "is a trusted proxy"),
        ("127.0.0.1", "bot", "is nobody's address"),
        ("203.0.113.7", 'x"; } server { listen 80', "has characters"),
        ("203.0.113.7", "", "has characters"),
        ("203.0.113.7", "$request", "has characters"),
    ],
)
def test_what_would_hit_others_or_break_out_is_refused(
    settings: CollectorSettings, network: str, reason: str, complaint: str
) -> None:
    with pytest.raises(BadUse, match=complaint):
        block(settings, network, reason, LATER, "ada", NOW)
    assert read_blocks(settings) == []


def test_a_list_that_somebody_judged_is_blocked_whole(tmp_path: Path) -> None:
    listed = tmp_path / "blocks.csv"
    listed.write_text("network,reason\n203.0.113.5,too_fast (views 200)\n2001:db8::5,no_cookies\n")
    assert read_suggestions(listed) == [("203.0.113.5", "too_fast (views 200)"), ("2001:db8::5", "no_cookies")]
    listed.write_text("address\n203.0.113.5\n")
    with pytest.raises(BadUse, match="no list of blocks"):
        read_suggestions(listed)


def test_nobody_is_taken_from_a_list_on_which_he_is_not(settings: CollectorSettings) -> None:
    with pytest.raises(BadUse, match="not on the list"):
        unblock(settings, "203.0.113.7", NOW)


def test_nginx_marks_who_is_blocked_and_answers_him(start: Callable[..., Running]) -> None:
    running = start()
    now = datetime.now(UTC)

    def marked(address: str) -> str:
        answer = running.post({"messages": []}, X_Forwarded_For=address)
        assert answer.status_code == 200
        return str(running.line(answer)["blocked"])

    assert marked("203.0.113.7") == ""
    assert block(running.settings, "203.0.113.0/29", "bot: fan_out", now + timedelta(hours=1), "ada", now)
    processes.reload_tracker(running.settings)
    assert eventually(lambda: marked("203.0.113.7"), "bot: fan_out")
    assert marked("203.0.113.8") == ""
    assert unblock(running.settings, "203.0.113.0/29", now)
    processes.reload_tracker(running.settings)
    assert eventually(lambda: marked("203.0.113.7"), "")


def eventually(look: Callable[[], str], wanted: str) -> bool:
    """Look until old workers have ended."""
    return any(look() == wanted for _ in range(50))
