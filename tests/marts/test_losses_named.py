"""What the hint of a loss names: the tracker, the visitor, the hours that lost."""

from builders.quality import (
    Models,
    World,
    statuses,
)


def test_a_batch_is_lost_once(models: Models, world: World) -> None:
    """GIVEN ninety messages missing on the third, one by one or fifteen at a time THEN the first is an error alone."""

    def judge(lost: set[tuple[int, int]]) -> str:
        kept = [
            row for number, row in enumerate(world.views)
            if (int(row["visitor_id"][1:]), number // 50) not in lost
        ]  # fmt: skip
        assert len(kept) == len(world.views) - 90
        World(kept, world.hits).check(models)
        return statuses(models, "message_gaps")["2026-03-03 shop desktop_web"]

    assert judge({(visitor, index) for visitor in range(45) for index in (60, 64)}) == "error"
    assert judge({(visitor, index) for visitor in range(6) for index in range(60, 75)}) == "warn"


def tracked(world: World, number: int) -> str:
    """Name the tracker of a message: each third visitor has another."""
    return "bh/2" if int(world.views[number]["visitor_id"][1:]) % 3 == 0 else "bh/1"


def hint_of(models: Models, check: str, day: int) -> str:
    ((hint,),) = models.query(f"""
        select hint from build.quality.checks where "check" = '{check}' and date = date '2026-03-0{day}'
    """)
    return str(hint)


def test_a_loss_names_the_tracker_that_lost(models: Models, world: World) -> None:
    """GIVEN a tracker that loses four of five messages THEN the pixel's check and the indexes' name it."""
    views = [view | {"tracker": tracked(world, number)} for number, view in enumerate(world.views)]
    kept = [
        view for number, view in enumerate(views)
        if view["viewed_at"].day != 4 or view["tracker"] == "bh/1" or number // 50 % 5 == 0
    ]  # fmt: skip
    World(kept, world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith(
        "Most of it: tracker bh/2 (82 % lost; of the others 0 %). See quality.loss_hourly"
    )
    assert hint_of(models, "message_gaps", 4).startswith("Most of it: tracker bh/2 (")


def test_a_loss_names_who_is_heard_no_more(models: Models, world: World) -> None:
    """GIVEN a tracker of which nothing comes, or a collector that loses most THEN the week before names it."""
    views = [view | {"tracker": tracked(world, number)} for number, view in enumerate(world.views)]
    World([row for row in views if row["viewed_at"].day != 4 or row["tracker"] == "bh/1"], world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith("Most of it: tracker bh/2 (100 % lost). See")
    kept = [
        row for number, row in enumerate(world.views)
        if row["viewed_at"].day != 4 or row["collector_host"] == "t0.example" or number // 100 % 4 == 0
    ]  # fmt: skip
    World(kept, world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith("Most of it: collector t1.example (7")


def test_a_loss_names_its_hours(models: Models, world: World) -> None:
    kept = [row for row in world.views if row["viewed_at"].day != 4 or not 15 <= row["viewed_at"].hour < 18]
    World(kept, world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith("Most of it: from 15 to 18 o'clock UTC. See")


def test_hours_of_few_pages_belong_to_the_stretch_that_they_lie_in(models: Models, world: World) -> None:
    """GIVEN a pixel that is down from 6 to 22, in two hours of which hardly anybody came THEN all of it is named."""
    views = [
        row for number, row in enumerate(world.views)
        if row["viewed_at"].day != 4 or row["viewed_at"].hour not in (12, 21) or number % 50 < 4
    ]  # fmt: skip
    hits = [row for row in world.hits if row["hit_at"].day != 4 or not 6 <= row["hit_at"].hour < 22]
    World(views, hits).check(models)
    assert hint_of(models, "pixel_loss", 4).startswith("Most of it: from 6 to 22 o'clock UTC. ")


def test_two_stretches_of_hours_are_not_named(models: Models, world: World) -> None:
    kept = [row for row in world.views if row["viewed_at"].day != 4 or row["viewed_at"].hour not in (9, 10, 15, 16)]
    World(kept, world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith("See quality.loss_hourly")


def test_a_loss_of_a_few_visits_names_nobody(models: Models, world: World) -> None:
    """GIVEN four visitors of one tracker who lose all pages of a day THEN it fails, and blames no tracker."""
    lost = {"v0", "v3", "v6", "v9"}
    views = [view | {"tracker": tracked(world, number)} for number, view in enumerate(world.views)]
    kept = [row for row in views if row["viewed_at"].day != 4 or row["visitor_id"] not in lost]
    World(kept, world.hits).check(models)
    assert statuses(models, "event_loss")["2026-03-04 shop desktop_web"] == "error"
    assert hint_of(models, "event_loss", 4).startswith("See quality.loss_hourly")


def test_a_loss_of_all_alike_names_nobody(models: Models, world: World) -> None:
    """GIVEN each tenth message lost, whoever sent it THEN the hint is the registry's."""
    views = [view | {"tracker": tracked(world, number)} for number, view in enumerate(world.views)]
    World([row for number, row in enumerate(views) if number % 10 or row["viewed_at"].day != 4], world.hits).check(
        models
    )
    assert hint_of(models, "event_loss", 4).startswith("See quality.loss_hourly")


def test_a_new_version_is_no_loss(models: Models, world: World) -> None:
    """GIVEN a tracker that another replaces on the day of an outage THEN the hours are named, and not the tracker."""

    def released(number: int) -> str:
        is_new = world.views[number]["viewed_at"].day >= 4 and tracked(world, number) == "bh/2"
        return "bh/9" if is_new else tracked(world, number)

    kept = [
        row | {"tracker": released(number)}
        for number, row in enumerate(world.views)
        if row["viewed_at"].day != 4 or not 15 <= row["viewed_at"].hour < 18
    ]  # fmt: skip
    World(kept, world.hits).check(models)
    assert hint_of(models, "event_loss", 4).startswith("Most of it: from 15 to 18 o'clock UTC. See")
