"""Commands that look at one thing: a message's story, a file, probes, the plan; and believable logs."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from etl import pipeline
from etl.commands import Home, Inbox, app, describe, showing
from etl.errors import BadUse
from etl.settings import load_settings
from etl.tools import probe_look
from etl.tools import suspects as suspecting

FIRST_YEAR, LAST_YEAR = 1970, 2200


@app.command()
def trace(
    what: Annotated[str, typer.Argument(help="An event's id, or a line as events/2026-03-01.jsonl:12.")],
    home: Home = None,
) -> None:
    """Tell the whole story of one message: landed where, decoded how, accepted or not and why, counted where."""
    from etl.tools import trace as tracing  # noqa: PLC0415

    for line in tracing.trace(load_settings(None, home), what):
        print(line)


@app.command()
def probe(
    look: Annotated[bool, typer.Option("--look", help="Say what became of the probes sent from this home.")] = False,
    collector: Annotated[str | None, typer.Option(help="Send to this collector over the network: https://t.…")] = None,
    pixel: Annotated[str | None, typer.Option(help="The collector's pixel, if another host: https://px.…")] = None,
    page: Annotated[str | None, typer.Option(help="Open this page of your site in a browser, and look on.")] = None,
    pages: Annotated[int, typer.Option(help="So many of the pages that it links to, too.", min=0)] = 0,
    inbox: Inbox = None,
    home: Home = None,
) -> None:
    """Send known messages that count in no KPI, or look for those sent: exit 1 if one is missing or changed."""
    settings = load_settings(inbox, home)
    if page:
        from etl.tools import probe_page  # noqa: PLC0415  (starts a driver of browsers)

        visited = probe_page.probe_pages(page, pages)
        for line in visited["lines"]:
            print(line)
        if visited["faults"]:
            raise typer.Exit(1)
        return
    if not look:
        sent = pipeline.send_probe(settings, collector=collector, pixel=pixel)
        where = " and ".join(sent["files"]) or " and ".join(filter(None, (collector, pixel)))
        print(f"probe {sent['run']}: {len(sent['messages'])} messages in {where}")
        if any(answer != "200" for answer in sent.get("answers", {}).values()):
            print(f"answers: {sent['answers']}")
            raise typer.Exit(1)
        return
    open_runs = [run for run in probe_look.look_for_probes(settings) if run["is_open"]]
    for run in open_runs:
        for line in probe_look.describe(run):
            print(line)
    if any(run["state"] not in ("found", "late") for run in open_runs):
        raise typer.Exit(1)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Any file of an inbox, or messages; - for messages on standard input.")],
) -> None:
    """Say what would become of a file, or of each message, and why. Exit 1 if anything would not be read."""
    from etl.tools import check as checking  # noqa: PLC0415

    if str(file) != "-" and not file.is_file():
        raise BadUse(f"{file} is no file", "Name one, or - for standard input")
    settings = load_settings()
    is_piped = str(file) == "-"
    verdicts = checking.check(sys.stdin.buffer.read(), settings) if is_piped else checking.check_file(file, settings)
    if not verdicts:
        raise BadUse(f"there is nothing in {file}", "Give lines, batches or messages")
    for verdict in verdicts:
        print(verdict)
    if any(verdict.outcome not in {"accepted", "duplicate", "nothing", "landed"} for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def plan() -> None:
    """Show the tracking plan as a page of Markdown."""
    from etl.vocabulary import tracking_plan as planning  # noqa: PLC0415

    print(planning.describe(planning.load_plan(load_settings().tracking_plan)), end="")


@app.command()
def suspects(
    home: Home = None,
    out: Annotated[Path | None, typer.Option(help="Where the lists go; default: `suspects` in the home.")] = None,
) -> None:
    """Write the suspects as an exclusions file and as networks to block, for a human to judge."""
    settings = load_settings(None, home)
    made = suspecting.write_block_lists(settings, out or settings.home / "suspects")
    print(f"suspects: {made['suspects']:,} in block_list.csv, {made['addresses']:,} in blocks.csv, in {made['folder']}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="The inbox to fill.")],
    site: Annotated[
        Path | None, typer.Option(help="What kind of site, in TOML: opening hours, refunds … (docs/reconciliation.md).")
    ] = None,
    messages: Annotated[int | None, typer.Option(help="About how many messages.  [default: 60000]")] = None,
    days: Annotated[int | None, typer.Option(help="Over how many days.  [default: 3]")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same bytes.  [default: 7]", min=0)] = None,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day.")] = None,
    loss: Annotated[float | None, typer.Option(help="Share of messages lost on the way.  [default: 0.01]")] = None,
    incident: Annotated[
        list[str] | None, typer.Option(help="An extra loss, as loss=1,start=2026-03-05,host=t1.shop.example; repeat.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Where the truth goes; default: beside the inbox.")] = None,
) -> None:
    """Make believable logs with the truth beside them."""
    from etl.simulate import Incident, Plan, read_plan  # noqa: PLC0415  (numpy is slow to import)
    from etl.simulate import simulate as make  # noqa: PLC0415

    if start and not FIRST_YEAR <= start.year <= LAST_YEAR:
        raise BadUse(f"--start is {start.date()}", f"Give a day of the years {FIRST_YEAR} to {LAST_YEAR}")
    asked = {
        "messages": messages, "days": days, "seed": seed, "start": start and start.date(), "loss": loss,
        "incidents": tuple(Incident.read(text) for text in incident) if incident else None,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    plan = read_plan(site, **given) if site else Plan(**{"loss": 0.01} | given)  # type: ignore[arg-type]
    with showing("simulate") as advance:
        made = make(out, plan, truth=truth, progress=lambda done, total: advance(f"{done} of {total}", 1))
    print(f"simulate: {describe(made)}")
