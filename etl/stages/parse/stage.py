"""Parse: landed lines → judged messages, pixel hits and quarantine, in groups of files.

A group is parsed whole or not at all. Which files share a group depends on what arrived together and changes no row.
A file is parsed anew when this code's version or a setting that it reads has changed, when the tracking plan says
something else of a schema among its messages, or when the libraries that read user agents and hosts say something
else of a value that stands in it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache

import msgspec

from etl.lake.catalogue import Lake, write_note
from etl.lake.fingerprint import Fingerprint, digest
from etl.lake.key import key_digest
from etl.lake.landed import LandedFile, expected, file_name, landed_files, left_of
from etl.lake.manifests import UNKNOWN_DAY, Reading
from etl.settings import Settings
from etl.stages.parse import dictionaries
from etl.stages.parse.carry import carry
from etl.stages.parse.slices import group_files, plan_slices
from etl.stages.parse.task import Slice, parse_slice
from etl.stages.stage import Made, Output, Stage, Work
from etl.vocabulary import address_countries, bot_rules, click_ids, log_formats, tracker_exports, tracking_plan

PARSER_VERSION = 21
MOST_PATHS = 3
PARSED_SOURCES = ("events", "pixel", "access")


class Parse(Stage[Reading]):
    """A unit is a landed file, by its number."""

    name = "parse"
    facts = Reading
    gives = ("messages", "keys", "pixel_hits", "quarantine", "agents", "hosts")
    is_spread = True

    def wanted(self, lake: Lake) -> Mapping[str, Fingerprint]:
        held = lake.units(self.name, self.facts)
        plan, rules = tracking_plan.load_plan(lake.settings.tracking_plan), self.rules(lake.settings)
        # Of a year's files nearly all hold the same few schemas.
        planned = cache(lambda schemas: tracking_plan.digests(plan, schemas))
        now = Fingerprint(digest(rules, planned(tuple(sorted(plan))), sorted(dictionaries.installed().items())))
        wanted = expected(self.files(lake), now, held)
        for name in wanted:
            if name in held:
                commit, unit = held[name]
                known = commit.facts
                is_same = known.rules == rules and known.readers == dictionaries.installed()
                is_whole = left_of(unit.fingerprint) == left_of(wanted[name])
                if is_same and is_whole and known.plan == planned(tuple(known.plan)):
                    wanted[name] = unit.fingerprint
        return wanted

    def definition(self, lake: Lake) -> object:
        plan = tracking_plan.load_plan(lake.settings.tracking_plan)
        return self.rules(lake.settings), tracking_plan.digests(plan, sorted(plan))

    @staticmethod
    def rules(settings: Settings) -> str:
        """Name this code's version and the settings that decide how a line is parsed."""
        countries = address_countries.read_digest(settings.address_countries)
        return digest(
            PARSER_VERSION, settings.max_lateness_days, settings.max_message_bytes, sorted(settings.asset_extensions),
            bot_rules.digest("declared", "malformed_ua", "platforms"), log_formats.digest(),
            sorted(settings.log_formats.items()), sorted(settings.no_pages.items()), sorted(settings.trusted_proxies),
            sorted(settings.batch_paths), key_digest(settings), click_ids.NAMES, tracker_exports.digest(),
            *([countries] if countries else []),
        )  # fmt: skip

    @staticmethod
    def files(lake: Lake) -> dict[str, LandedFile]:
        """Find the files to parse, by their number's name."""
        return {name: file for name, file in landed_files(lake).items() if file.source in PARSED_SOURCES}

    def groups(self, lake: Lake, units: Sequence[str]) -> Iterable[Sequence[str]]:
        files = self.files(lake)
        for group in group_files([files[name] for name in units], PARSED_SOURCES):
            yield [file_name(file.file_id) for file in group]

    def of_days(self, lake: Lake, days: Collection[date]) -> Collection[str]:
        """The files with lines received on those days."""
        names = {day.isoformat() for day in days}
        return [name for name, file in self.files(lake).items() if names & set(file.content.days)]

    def concerns(self, lake: Lake, units: Collection[str]) -> Iterable[str]:
        """The received days of the files' lines."""
        files = self.files(lake)
        return {day for name in units if name in files for day in files[name].content.days if day != UNKNOWN_DAY}

    def review(self, lake: Lake) -> None:
        """Where other libraries say the same of every distinct value, what they read holds."""
        readers, rules = dictionaries.installed(), self.rules(lake.settings)
        for commit in self.commits(lake):
            known = commit.facts
            if known.readers != readers and known.rules == rules and dictionaries.says_the_same(lake, commit):
                facts = msgspec.structs.replace(known, readers=readers)
                write_note(lake.manifest_path(self.name, commit.name), msgspec.structs.replace(commit, facts=facts))

    def make(self, work: Work[Reading]) -> Made[Reading]:
        settings = work.lake.settings
        landed = self.files(work.lake)
        files = [landed[name] for name in work.units]
        gone = [file for file in files if file.is_lost]
        source = files[0].source
        own = work.engine.settings_for(settings)
        is_cut = work.engine.most_tasks > 1
        slices = [Slice(own, source, pieces, work.folder, is_cut) for pieces in plan_slices(files)]
        outputs: list[Output] = []
        schemas: set[str] = set()
        paths: Counter[tuple[str, str]] = Counter()
        counts: dict[str, dict[str, int]] = {name: {} for name in work.units}
        if gone:
            outputs += carry(work.lake, work.before, gone, work.folder)
            schemas.update(*(commit.facts.plan for commit in work.before))
            counts |= {
                file_name(file.file_id): dict(commit.units[file_name(file.file_id)].counts)
                for file in gone for commit in work.before if file_name(file.file_id) in commit.units
            }  # fmt: skip
        for one, found in zip(slices, work.engine.map(parse_slice, slices), strict=True):
            outputs += found.outputs
            schemas |= found.schemas
            paths.update(found.paths)
            for name, fate, count in found.counts:
                counts[name][fate] = counts[name].get(fate, 0) + count
            work.advance("lines", sum(piece.size for piece in one.pieces))
        planned = tracking_plan.digests(tracking_plan.load_plan(settings.tracking_plan), schemas)
        facts = Reading(source, planned, dictionaries.installed(), self.rules(settings), most(paths))
        left = sorted(file.content.tombstones for file in files if file.content.tombstones)
        meaning = digest(facts.rules, sorted(facts.plan.items()), sorted(work.units), *left)
        outputs = [
            output if output.content is None else replace(output, content=digest(meaning, output.content))
            for output in outputs
        ]
        return Made(facts, outputs, counts)


def most(paths: Mapping[tuple[str, str], int]) -> dict[str, str]:
    """Name the paths that most of a file's unrouted requests are for."""
    named: dict[str, list[str]] = {}
    for (name, path), count in sorted(paths.items(), key=lambda entry: (-entry[1], entry[0])):
        named.setdefault(name, []).append(f"{path} ({count})")
    return {name: ", ".join(found[:MOST_PATHS]) for name, found in named.items()}
