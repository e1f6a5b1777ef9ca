"""Versions 1 and 2 become version 3: each step alone, both together, and what the lake keeps of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import orjson
import pytest
from builders import Message
from builders.versions import MS, V1, V2, V3
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl.formats import collector
from etl.formats import versions as migrations


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        collector.define_macros(connection)
        yield connection


def written(message: Any) -> str:
    """Write a message as DuckDB hands it to the migrations: without blanks."""
    return message if isinstance(message, str) else json.dumps(message, separators=(",", ":"))


def step(con: duckdb.DuckDBPyConnection, version: int, *messages: Any) -> list[Any]:
    """Do one step alone; what is null is left out, as it says no more than what is absent."""
    migration = migrations.MIGRATIONS[version]()
    shape = orjson.dumps(migration.shape).decode()
    rows = con.execute(
        f"""
        with sent as (
            select unnest($messages) as message, generate_subscripts($messages, 1) as number
        ),
        opened as (select *, from_json(message, '{shape}') as old from sent)
        select {migration.message} from opened order by number
        """,
        {"messages": [written(message) for message in messages]},
    ).fetchall()
    return [known(json.loads(text)) for (text,) in rows]


def all_steps(con: duckdb.DuckDBPyConnection, *messages: Any) -> list[Any]:
    """Do all steps, as the parser does."""
    rows = con.execute(
        f"""
        with numbered as (
            select unnest($messages) as message, generate_subscripts($messages, 1) as number
        ),
        sent as (select *, coalesce(cast(message -> '$.version' as varchar), '1') as version_text from numbered),
        {migrations.migrate("sent")}
        select message from migrated order by number
        """,
        {"messages": [written(message) for message in messages]},
    ).fetchall()
    return [known(json.loads(text)) for (text,) in rows]


def known(message: Any) -> Any:
    """Leave out keys that are null, of the message and of its page; the data stays as it is."""
    if not isinstance(message, dict):
        return message
    kept = {key: value for key, value in message.items() if value is not None}
    if isinstance(kept.get("page"), dict):
        kept["page"] = {key: value for key, value in kept["page"].items() if value is not None}
    return kept


# Each step by itself.


def test_version_1_becomes_version_2(con: duckdb.DuckDBPyConnection) -> None:
    assert step(con, 1, V1) == [V2]


def test_version_2_becomes_version_3(con: duckdb.DuckDBPyConnection) -> None:
    assert step(con, 2, V2) == [V3]


def test_steps_are_taken_one_after_the_other(con: duckdb.DuckDBPyConnection) -> None:
    assert all_steps(con, V1, V2, V3) == [V3, V3, V3]


def test_every_version_but_the_newest_has_its_step() -> None:
    assert tuple(sorted(migrations.MIGRATIONS)) == migrations.VERSIONS[:-1] == (1, 2)
    assert migrations.NEWEST_VERSION == 3


ONE: dict[str, tuple[Message, Message]] = {
    # what version 1 says: what version 2 says of it
    "a type pv": ({"type": "pv"}, {"schema": "page_view"}),
    "a type imp": ({"type": "imp"}, {"schema": "impression"}),
    "a type clk": ({"type": "clk"}, {"schema": "click"}),
    "a type ord": ({"type": "ord"}, {"schema": "order"}),
    "a type exp": ({"type": "exp"}, {"schema": "experiment_exposure"}),
    "a type that is a schema's name": ({"type": "feature_use"}, {"schema": "feature_use"}),
    "a type of one's own": ({"type": "custom.pv"}, {"schema": "custom.pv"}),
    "a type that is a number": ({"type": 1}, {"schema": 1}),
    "the platform web": ({"plat": "web"}, {"platform": "desktop_web"}),
    "the platform touch": ({"plat": "touch"}, {"platform": "mobile_web"}),
    "the platform svc": ({"plat": "svc"}, {"platform": "backend"}),
    "a platform of today": ({"plat": "ios"}, {"platform": "ios"}),
    "a platform nobody knows": ({"plat": "tv"}, {"platform": "tv"}),
    "a library": ({"lib": "2.0.1"}, {"tracker": "bh-js/2.0.1"}),
    "a library as number": ({"lib": 1.4}, {"tracker": "bh-js/1.4"}),
    "logged in": ({"li": 1}, {"logged_in": True}),
    "not logged in": ({"li": 0}, {"logged_in": False}),
    "index zero": ({"idx": 0}, {"index": 0}),
    "an index in words": ({"idx": "twelve"}, {"index": "twelve"}),
    "a great index": ({"idx": 2**60}, {"index": 2**60}),
    "a time with a fraction": ({"ts": MS + 0.5}, {"created_at": MS + 0.5}),
    "a user and a visitor": ({"cid": "user", "uid": "visitor"}, {"user_id": "user", "visitor_id": "visitor"}),
    "a country and a locale": ({"cc": "DE", "lc": "de_DE"}, {"country": "DE", "locale": "de_DE"}),
    "an unknown key": ({"ab": {"x": [1, None]}}, {"ab": {"x": [1, None]}}),
    "a custom event's data": ({"type": "custom.x", "d": {"cid": 1, "e": 2, "oid": 3, "n": {"a": None}}},
                              {"schema": "custom.x", "data": {"cid": 1, "e": 2, "oid": 3, "n": {"a": None}}}),
    "data with a null": ({"d": {"a": None, "b": [None]}}, {"data": {"a": None, "b": [None]}}),
    "data that is a list": ({"d": [1, None]}, {"data": [1, None]}),
    "data that is a text": ({"type": "clk", "d": "x"}, {"schema": "click", "data": "x"}),
    "a click's id": ({"type": "clk", "d": {"cid": "c1", "target": "buy"}},
                     {"schema": "click", "data": {"target": "buy", "click_id": "c1"}}),
    "a click's id under its new name": ({"type": "click", "d": {"click_id": "c1"}},
                                        {"schema": "click", "data": {"click_id": "c1"}}),
    "an exposure": ({"type": "exp", "d": {"e": "blue", "v": "B", "note": None}},
                    {"schema": "experiment_exposure", "data": {"note": None, "experiment": "blue", "variant": "B"}}),
    "an impression": ({"type": "imp", "d": {"widget": "w", "position": 3, "cid": 4}},
                      {"schema": "impression", "data": {"widget": "w", "position": 3, "cid": 4}}),
    "an order": ({"type": "ord", "d": {"oid": "o1", "amt_cents": 1205, "cur": "EUR", "qty": 2, "coupon": {"a": None}}},
                 {"schema": "order", "data": {"coupon": {"a": None}, "order_id": "o1", "revenue": "12.05",
                                              "currency": "EUR", "quantity": 2}}),
    "an order that lacks keys": ({"type": "ord", "d": {"oid": "o1"}}, {"schema": "order", "data": {"order_id": "o1"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE)
def test_version_1(name: str, con: duckdb.DuckDBPyConnection) -> None:
    changed, expected = ONE[name]
    assert step(con, 1, V1 | changed) == [V2 | expected]


@pytest.mark.parametrize(
    ("cents", "revenue"),
    [
        (0, "0.00"), (5, "0.05"), (99, "0.99"), (100, "1.00"), (1205, "12.05"), (123456, "1234.56"), (-5, "-0.05"),
        (-1205, "-12.05"), (10**16, "100000000000000.00"),
    ],
)  # fmt: skip
def test_cents_are_written_as_a_decimal(cents: int, revenue: str, con: duckdb.DuckDBPyConnection) -> None:
    (message,) = step(con, 1, V1 | {"type": "ord", "d": {"amt_cents": cents}})
    assert message["data"] == {"revenue": revenue}


@pytest.mark.parametrize("cents", ["1205", 12.5, True, [1], 10**30, ""])
def test_cents_that_are_no_whole_number_do_not_become_money(cents: Any, con: duckdb.DuckDBPyConnection) -> None:
    (message,) = step(con, 1, V1 | {"type": "ord", "d": {"amt_cents": cents}})
    assert message["data"]["revenue"].startswith("no whole cents: ")


@pytest.mark.parametrize("key", [key for key in V1 if key not in {"d", "pg"}])
def test_what_version_1_lacks_version_2_lacks(key: str, con: duckdb.DuckDBPyConnection) -> None:
    lacking = {name: value for name, value in V1.items() if name != key}
    same = [name for name, value in V2.items() if value != V1[key] or isinstance(V1[key], bool)]
    for message in step(con, 1, lacking, V1 | {key: None}):
        assert len(message) == len(V2) - 1 and message.keys() <= V2.keys()
        assert {name: message.get(name) for name in same if name in message}.items() <= V2.items()


TWO: dict[str, tuple[Message, Message]] = {
    # what version 2 says: what version 3 says of it; page: what the page says
    "nav 0": ({"nav": 0}, {"page": {"navigation": "navigate"}}),
    "nav 1": ({"nav": 1}, {"page": {"navigation": "reload"}}),
    "nav 2": ({"nav": 2}, {"page": {"navigation": "back_forward"}}),
    "a null nav": ({"nav": None}, {"page": {"navigation": "navigate"}}),
    "a stream of another visitor": ({"app_id": "a", "visitor_id": "b:c"},
                                    {"app_id": "a", "visitor_id": "b:c", "stream_id": "a:b:c"}),
    "a stream id it should not have": ({"stream_id": "mine"}, {"stream_id": "shop:v"}),
    "a time": ({"created_at": 1}, {"created_at": "1970-01-01T00:00:00.001000Z"}),
    "a time before 1970": ({"created_at": -1}, {"created_at": "1969-12-31T23:59:59.999000Z"}),
    "a time with a fraction": ({"created_at": MS + 0.5}, {"created_at": "2026-03-01T10:00:00.000500Z"}),
    "the last time there is": ({"created_at": 253_402_300_799_999}, {"created_at": "9999-12-31T23:59:59.999000Z"}),
    "an unknown key": ({"ab": {"x": [1, None]}}, {"ab": {"x": [1, None]}}),
    "data with nulls": ({"data": {"a": None, "b": {"c": None}}}, {"data": {"a": None, "b": {"c": None}}}),
    "an order's revenue as number": ({"schema": "order", "data": {"revenue": 12.5, "n": {"a": None}}},
                                     {"schema": "order", "data": {"n": {"a": None}, "revenue": "12.5"}}),
    "an order's whole revenue": ({"schema": "order", "data": {"revenue": 12}},
                                 {"schema": "order", "data": {"revenue": "12"}}),
    "an order's revenue as text": ({"schema": "order", "data": {"revenue": "12.50"}},
                                   {"schema": "order", "data": {"revenue": "12.50"}}),
    "an order's revenue of another type": ({"schema": "order", "data": {"revenue": [1]}},
                                           {"schema": "order", "data": {"revenue": [1]}}),
    "revenue of what is no order": ({"schema": "custom.x", "data": {"revenue": 12.5}},
                                    {"schema": "custom.x", "data": {"revenue": 12.5}}),
    "data that is no object": ({"data": [1]}, {"data": [1]}),
}  # fmt: skip


@pytest.mark.parametrize("name", TWO)
def test_version_2(name: str, con: duckdb.DuckDBPyConnection) -> None:
    changed, expected = TWO[name]
    page = V3["page"] | expected.get("page", {})
    assert step(con, 2, V2 | changed) == [V3 | expected | {"page": page}]


@pytest.mark.parametrize("when", ["noon", str(MS), True, [MS], 10**15, 253_402_300_800_000, ""])
def test_time_that_is_no_epoch_becomes_no_time(when: Any, con: duckdb.DuckDBPyConnection) -> None:
    (message,) = step(con, 2, V2 | {"created_at": when})
    assert message["created_at"].startswith("no epoch milliseconds: ")


def test_absent_nav_is_navigate_and_no_page_stays_none(con: duckdb.DuckDBPyConnection) -> None:
    without_nav = {key: value for key, value in V2.items() if key != "nav"}
    flat = {"page_id", "page_type", "url", "referrer", "parent_page_id", "parent_click_id", "nav"}
    without_page = {key: value for key, value in V2.items() if key not in flat}
    first, second, third = step(con, 2, without_nav, without_page, V2 | {"nav": 3})
    assert first["page"]["navigation"] == "navigate"
    assert "page" not in second
    assert "navigation" not in third["page"]


def test_first_of_two_equal_keys_counts(con: duckdb.DuckDBPyConnection) -> None:
    """As in version 3, where the columns are of the first."""
    twice = '{"eid":"first",' + written(V1)[1:]
    assert all_steps(con, twice)[0]["id"] == "first"


# A reference in plain Python, written from the definition.

V1_TOP = {
    "eid": "id", "type": "schema", "app": "app_id", "plat": "platform", "idx": "index", "ts": "created_at",
    "uid": "visitor_id", "cid": "user_id", "cc": "country", "lc": "locale",
}  # fmt: skip
V1_FLAT = {
    "id": "page_id", "t": "page_type", "u": "url", "r": "referrer", "rp": "parent_page_id", "rc": "parent_click_id",
    "nav": "nav",
}  # fmt: skip
V1_TYPES = {"pv": "page_view", "imp": "impression", "clk": "click", "ord": "order", "exp": "experiment_exposure"}
V1_RENAMED = {
    "click": {"cid": "click_id"},
    "experiment_exposure": {"e": "experiment", "v": "variant"},
    "order": {"oid": "order_id", "cur": "currency", "qty": "quantity"},
}


def plain_1_to_2(old: Message) -> Message:
    """Bring a message to version 2, by hand."""
    new = {V1_TOP.get(key, key): value for key, value in old.items() if key not in {"pg", "d", "lib", "li"}}
    new |= {V1_FLAT[key]: value for key, value in old.get("pg", {}).items() if key in V1_FLAT}
    new["version"] = 2
    new["schema"] = V1_TYPES.get(old["type"], old["type"])
    new["platform"] = {"web": "desktop_web", "touch": "mobile_web", "svc": "backend"}.get(old["plat"], old["plat"])
    if "lib" in old:
        new["tracker"] = f"bh-js/{old['lib']}"
    if "li" in old:
        new["logged_in"] = old["li"] == 1
    data = old.get("d")
    if isinstance(data, dict):
        names = V1_RENAMED.get(new["schema"], {})
        data = {names.get(key, key): value for key, value in data.items()}
        if new["schema"] == "order" and "amt_cents" in data:
            cents = data.pop("amt_cents")
            data["revenue"] = f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
    return new if data is None else new | {"data": data}


def plain_2_to_3(old: Message) -> Message:
    """Bring a message to version 3, by hand."""
    page = {
        "id": "page_id", "type": "page_type", "url": "url", "referrer": "referrer",
        "referring_page_id": "parent_page_id", "referring_click_id": "parent_click_id",
    }  # fmt: skip
    flat = {*page.values(), "nav"}
    new = {key: value for key, value in old.items() if key not in flat}
    new["version"] = 3
    new["stream_id"] = f"{old['app_id']}:{old['visitor_id']}"
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    when = epoch + timedelta(milliseconds=old["created_at"])
    new["created_at"] = when.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if flat & {key for key, value in old.items() if value is not None}:
        new["page"] = {key: old[name] for key, name in page.items() if name in old}
        new["page"]["navigation"] = ["navigate", "reload", "back_forward"][old.get("nav") or 0]
    data = old.get("data")
    if old["schema"] == "order" and isinstance(data, dict) and isinstance(data.get("revenue"), int | float):
        new["data"] = data | {"revenue": str(data["revenue"])}
    return new


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=5) | st.floats(-1e6, 1e6, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
extra = st.dictionaries(st.text(max_size=6).map(lambda text: "x_" + text), anything, max_size=3)
words = st.text(min_size=1, max_size=8)
epochs = st.integers(-62_135_596_800_000, 253_402_300_799_999)
platforms = ["desktop_web", "mobile_web", "ios", "android", "email", "api", "backend"]


def maybe(optional: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Message]:
    """Some of these keys."""
    return st.fixed_dictionaries({}, optional=optional)


order_v1 = maybe({"oid": words, "amt_cents": st.integers(-(10**15), 10**15), "cur": words, "qty": st.integers(0, 99)})
data_v1 = st.one_of(
    st.tuples(st.sampled_from(["ord", "order"]), order_v1),
    st.tuples(st.sampled_from(["clk", "click"]), maybe({"cid": words, "target": words})),
    st.tuples(st.sampled_from(["exp", "experiment_exposure"]), maybe({"e": words, "v": words})),
    st.tuples(
        st.sampled_from(["pv", "imp", "feature_use", "custom.x", "custom.é '"]), maybe({"cid": words, "e": words})
    ),
)
page_v1 = maybe({"id": words, "t": words, "u": words, "r": words, "rp": words, "rc": words, "nav": st.integers(0, 2)})
messages_v1 = st.builds(
    lambda typed, more, rest, fixed, optional: (
        fixed | optional | rest | {"type": typed[0]} | ({"d": typed[1] | more} if more is not None else {})
    ),
    data_v1, st.none() | extra, extra,
    st.fixed_dictionaries({"eid": words, "app": words, "plat": st.sampled_from(["web", "touch", "svc", *platforms]),
                           "idx": st.integers(0, 2**60), "ts": epochs, "uid": words}),
    maybe({"cid": words, "li": st.sampled_from([0, 1]), "cc": words, "lc": words, "lib": words, "pg": page_v1}),
)  # fmt: skip
messages_v2 = st.builds(
    lambda fixed, optional, rest: {"version": 2} | fixed | optional | rest,
    st.fixed_dictionaries({"id": words, "schema": st.sampled_from(["order", "click", "page_view", "custom.x"]),
                           "app_id": words, "platform": st.sampled_from(platforms), "index": st.integers(0, 2**60),
                           "created_at": epochs, "visitor_id": words}),
    maybe({"user_id": words, "logged_in": st.booleans(), "country": words, "page_id": words, "page_type": words,
           "url": words, "referrer": words, "parent_page_id": words, "parent_click_id": words,
           "nav": st.integers(0, 2),
           "data": st.builds(lambda more, money: more | money, extra,
                             maybe({"revenue": st.integers(0, 10**9) | st.decimals(0, 10**9, places=2).map(float)
                                    | words}))}),
    extra,
)  # fmt: skip

often: Any = {
    "max_examples": 15, "deadline": None, "phases": [Phase.explicit, Phase.generate], "print_blob": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}  # fmt: skip


@settings(**often)
@given(messages=st.lists(messages_v1, min_size=1, max_size=20))
def test_migrations_of_version_1_agree_with_plain_python(
    con: duckdb.DuckDBPyConnection, messages: list[Message]
) -> None:
    assert step(con, 1, *messages) == [known(plain_1_to_2(message)) for message in messages]
    assert all_steps(con, *messages) == [known(plain_2_to_3(plain_1_to_2(message))) for message in messages]


@settings(**often)
@given(messages=st.lists(messages_v2, min_size=1, max_size=20))
def test_migrations_of_version_2_agree_with_plain_python(
    con: duckdb.DuckDBPyConnection, messages: list[Message]
) -> None:
    assert all_steps(con, *messages) == [known(plain_2_to_3(message)) for message in messages]
