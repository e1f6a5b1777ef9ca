"""Thirteen questions to begin with, on the warehouse and on the lake's Parquet: `make explore`."""

import marimo

app = marimo.App(width="medium", app_title="Explore Bloodhound")


@app.cell
def _():
    import json

    import duckdb
    import marimo as mo
    import pandas as pd
    import vl_convert

    from etl.settings import load_settings

    home = load_settings().home
    # Read-only, and a copy of the state of now: open it again (run this cell) to see a newer publication.
    warehouse = duckdb.connect(str(home / "warehouse" / "bloodhound.duckdb"), read_only=True)
    warehouse.execute("set timezone = 'UTC'")
    # Without any event, of a pixel's log alone, there is no file: core.events has the columns then.
    is_there = any((home / "lake" / "events").glob("*/*.parquet"))
    events = f"read_parquet('{home}/lake/events/*/*.parquet', hive_partitioning = true)" if is_there else "core.events"

    def draw(rows, mark, **encoding):
        """Draw with Vega-Lite, here and without a network; `field:type` as in Altair."""
        kinds = {"Q": "quantitative", "N": "nominal", "O": "ordinal"}
        made = {
            channel: {"field": said[:-2], "type": kinds[said[-1]], "sort": None, "title": said[:-2].replace("_", " ")}
            for channel, said in encoding.items()
        }
        values = pd.DataFrame(rows).to_json(orient="records", date_format="iso", default_handler=str)
        spec = {"data": {"values": json.loads(values)}, "mark": mark, "encoding": made, "width": 560}
        return mo.Html(vl_convert.vegalite_to_svg(spec, vl_version="6.4"))

    mo.md(f"# Explore\nWarehouse and lake of `{home}`. Change any cell; nothing here can change the data.")
    return draw, events, home, mo, pd, warehouse


@app.cell(hide_code=True)
def _(mo):
    mo.md("## 1. How are we doing, and how sure are we?")
    return


@app.cell
def _(mo, warehouse):
    days = mo.sql(
        """
        select date, sessions, orders, revenue, conversion_rate, completeness,
            page_views, page_views_low, page_views_high
        from executive.kpi_daily order by date
        """,
        engine=warehouse,
    )
    return (days,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("## 2. Which pages lead to a purchase? The last five kinds of page before an order.")
    return


@app.cell
def _(mo, warehouse):
    page_paths = mo.sql(
        """
        with steps as (
            select views.session_id, views.page_type, views.viewed_at,
                row_number() over (partition by views.session_id order by views.viewed_at desc) as from_the_end
            from core.page_views as views
            inner join core.orders as orders
                on views.session_id = orders.session_id and views.viewed_at <= orders.ordered_at
            where not views.is_repeat and not views.is_bot and not views.is_excluded
        )
        select path, count(*) as sessions
        from (
            select session_id, string_agg(page_type, ' → ' order by viewed_at) as path
            from steps where from_the_end <= 5 group by session_id
        )
        group by path order by sessions desc, path limit 20
        """,
        engine=warehouse,
    )
    return (page_paths,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("## 3. Which channels did people come by before they bought?")
    return


@app.cell
def _(mo, warehouse):
    channel_paths = mo.sql(
        """
        select path, sum(conversions) as orders, sum(revenue) as revenue, max(median_days_to_convert) as days
        from marketing.paths where conversion = 'order' group by path order by orders desc, path limit 20
        """,
        engine=warehouse,
    )
    return (channel_paths,)


@app.cell
def _(draw, mo, warehouse):
    # 4. How long are sessions? Half of them are over at once, so the mean says little: look at the quantiles.
    lengths = warehouse.execute(
        """
        select platform, count(*) as sessions, avg(duration_seconds) as mean,
            unnest([0.25, 0.5, 0.75, 0.9, 0.99]) as quantile,
            unnest(quantile_cont(duration_seconds, [0.25, 0.5, 0.75, 0.9, 0.99])) as seconds
        from core.sessions where not is_bot and not is_excluded group by platform order by platform, quantile
        """
    ).df()
    mo.vstack(
        [
            mo.md("## 4. How long are sessions?"),
            lengths.pivot_table(index=["platform", "sessions", "mean"], columns="quantile", values="seconds").round(0),
            draw(lengths, "line", x="quantile:O", y="seconds:Q", color="platform:N"),
        ]
    )
    return (lengths,)


@app.cell
def _(draw, mo, warehouse):
    # 5. The curve of an experiment: conversion of the people seen up to each day. Curves that have not settled
    # decide nothing; product.experiment_lift has the interval that may be looked at every day.
    curve = warehouse.execute(
        """
        with entered as (
            select exposures.experiment, arg_min(exposures.variant, exposures.event_at) as variant,
                sessions.person_id, min(exposures.event_at) as entered_at
            from core.experiment_exposures as exposures
            inner join core.sessions as sessions using (session_id)
            where not sessions.is_bot and not sessions.is_excluded
            group by exposures.experiment, sessions.person_id
        ),
        bought as (
            select entered.*, (
                select min(orders.ordered_at) from core.orders as orders
                where orders.person_id = entered.person_id and orders.ordered_at >= entered.entered_at
            ) as ordered_at
            from entered
        ),
        days as (select distinct cast(entered_at as date) as day from entered)
        select experiment, variant, cast(days.day as varchar) as day, count(*) as people,
            avg((coalesce(ordered_at < days.day + interval 1 day, false))::int) as conversion
        from bought inner join days on entered_at < days.day + interval 1 day
        group by all order by experiment, variant, day
        """
    ).df()
    mo.vstack(
        [
            mo.md("## 5. Does the experiment settle?"),
            draw(curve, "line", x="day:O", y="conversion:Q", color="variant:N", strokeDash="experiment:N"),
            warehouse.execute(
                "select experiment, metric, variant, visitors, lift, always_valid_low, always_valid_high, verdict"
                " from product.experiment_lift order by all"
            ).df(),
        ]
    )
    return (curve,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("## 6. Which browsers lose events?")
    return


@app.cell
def _(mo, warehouse):
    browsers = mo.sql(
        """
        select dimension_value as browser, sum(pixel_hits) as pixel_saw, sum(only_pixel) as lost,
            sum(only_pixel) / nullif(sum(pixel_hits), 0) as loss_rate
        from quality.loss_by_dimension where dimension = 'browser' group by browser order by pixel_saw desc, browser
        """,
        engine=warehouse,
    )
    return (browsers,)


@app.cell
def _(mo, pd, warehouse):
    # 7. Where do people go from each kind of page? Rows add up to one; a session's last page goes nowhere.
    steps = warehouse.execute(
        """
        select
            page_type,
            coalesce(lead(page_type) over (partition by session_id order by page_number), '(leaves)') as next
        from core.page_views
        where not is_repeat and not is_bot and not is_excluded and session_id is not null and page_type is not null
        """
    ).df()
    transitions = pd.crosstab(steps["page_type"], steps["next"], normalize="index").round(3)
    mo.vstack([mo.md("## 7. Where do people go from each kind of page?"), transitions])
    return (transitions,)


@app.cell
def _(draw, mo, warehouse):
    # 8. How soon do people come back? The last days' people have had less time: this reads too low at the right.
    returns = warehouse.execute(
        """
        with visits as (
            select person_id, started_at, lag(started_at) over (partition by person_id order by started_at) as before
            from core.sessions where not is_bot and not is_excluded
        )
        select least(date_diff('day', before, started_at), 14) as days_between, count(*) as visits
        from visits where before is not null group by all order by all
        """
    ).df()
    mo.vstack([mo.md("## 8. How soon do people come back?"), draw(returns, "bar", x="days_between:O", y="visits:Q")])
    return (returns,)


@app.cell
def _(draw, events, mo, warehouse):
    # 9. When is it busy? Straight from the lake's Parquet: the same rows as core.events, without the warehouse.
    hours = warehouse.execute(
        f"""
        select hour(event_at) as hour, dayname(event_at) as weekday, isodow(event_at) as number, count(*) as events
        from {events} where not is_bot and not is_excluded group by all order by number, hour
        """
    ).df()
    mo.vstack([mo.md("## 9. When is it busy?"), draw(hours, "rect", x="hour:O", y="weekday:N", color="events:Q")])
    return (hours,)


@app.cell
def _(events, mo, warehouse):
    # 10. How late do events arrive? Clocks of clients are corrected; what is left is the way and the waiting.
    late = warehouse.execute(
        f"""
        select tracker, count(*) as events,
            quantile_cont(epoch(received_at - event_at), 0.5) as median_seconds,
            quantile_cont(epoch(received_at - event_at), 0.99) as p99_seconds,
            avg((received_at - event_at > interval 1 day)::int) as later_than_a_day
        from {events} where not is_access group by tracker order by events desc, tracker
        """
    ).df()
    mo.vstack([mo.md("## 10. How late do events arrive?"), late])
    return (late,)


@app.cell
def _(mo, warehouse):
    # 11. Which three kinds of page in a row are seen more often in visits that buy? A lift of two: twice as often.
    # Only pages before the order count, or its confirmation would go with it; a handful of visits says nothing.
    sequences = warehouse.execute(
        """
        with orders as (
            select session_id, min(ordered_at) as ordered_at from core.orders group by session_id
        ),
        pages as (
            select session_id, page_number, page_type,
                lead(page_type) over visit as second, lead(page_type, 2) over visit as third
            from core.page_views left join orders using (session_id)
            where (ordered_at is null or viewed_at < ordered_at) and not is_repeat and not is_bot and not is_excluded
                and session_id is not null and page_type is not null
            window visit as (partition by session_id order by page_number)
        ),
        visits as (
            select session_id, order_count > 0 as is_buying from core.sessions where not is_bot and not is_excluded
        ),
        found as (
            select distinct session_id, concat_ws(' → ', page_type, second, third) as sequence
            from pages where third is not null
        )
        select sequence, count(*) as visits, count(*) filter (where is_buying) as buying,
            (count(*) filter (where is_buying) / nullif((select count(*) from visits where is_buying), 0))
            / ((count(*) filter (where not is_buying) + 1) / (select count(*) from visits where not is_buying))
                as lift
        from found inner join visits using (session_id)
        group by sequence having count(*) >= 5 order by lift desc nulls last, sequence limit 20
        """
    ).df()
    mo.vstack([mo.md("## 11. Which pages in a row go with buying?"), sequences])
    return


@app.cell
def _(draw, mo, warehouse):
    # 12. How long do visits live? Kaplan and Meier: of the visits that came as far as a page, the share that went on.
    # A visit that could still have gone on when the data ended (less than half an hour before) is censored: it was
    # seen as long as it was seen, and its end was not.
    ends = warehouse.execute(
        """
        select platform, page_view_count as pages,
            ended_at < (select max(received_at) from core.events) - interval 30 minute as has_ended
        from core.sessions where not is_bot and not is_excluded and page_view_count > 0
        """
    ).df()
    lived = ends.groupby(["platform", "pages"])["has_ended"].agg(["sum", "count"]).reset_index()
    lived["at_risk"] = lived.loc[::-1].groupby("platform")["count"].cumsum()
    lived["goes_on"] = (1 - lived["sum"] / lived["at_risk"]).groupby(lived["platform"]).cumprod()
    survival = lived.rename(columns={"sum": "ended"})[["platform", "pages", "at_risk", "ended", "goes_on"]]
    mo.vstack(
        [
            mo.md("## 12. How long do visits live?"),
            draw(survival.query("at_risk >= 5"), "line", x="pages:O", y="goes_on:Q", color="platform:N"),
            survival,
        ]
    )
    return


@app.cell
def _(mo, warehouse):
    # 13. A model of your own: the touches of an order share it by the pages that were seen in them. The touches are
    # those that every model knows; each order is given away once, and what has no touch stays unattributed.
    own_model = warehouse.execute(
        """
        with touches as (
            select order_id, session_id, channel, revenue_credit, credit,
                greatest(coalesce(sessions.page_view_count, 0), 1) as weight
            from marketing.attribution
            left join core.sessions as sessions using (session_id, channel)
            where model = 'linear' and conversion = 'order'
        ),
        shared as (
            select *, weight / sum(weight) over (partition by order_id) as own_credit,
                sum(revenue_credit) over (partition by order_id) as revenue
            from touches
        )
        select channel, sum(credit)::double as linear_orders, sum(own_credit) as own_orders,
            sum(revenue_credit)::double as linear_revenue, sum(own_credit * revenue::double) as own_revenue
        from shared group by channel order by own_orders desc, channel
        """
    ).df()
    mo.vstack([mo.md("## 13. What would a model of your own say?"), own_model])
    return


if __name__ == "__main__":
    app.run()
