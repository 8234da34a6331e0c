"""The registry as rows and as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable

from nsnet.suites import protocols, suites
from nsnet.suites.catalogue import Protocol, Suite
from nsnet.suites.contents import Count, Generator

COMMAND = "nsnet suites page > docs/suites.md"
INTRODUCTION = """\
# The suites

A suite is a set of generators that detectors are tested on. This page lists the published ones and the lab, as the
registry in `nsnet/suites/` holds them. nsnet ships none of the published pictures, and none were downloaded to write
the registry: hosts are as printed in the sources and may be dead.

Each count carries its certainty:

- **read**: in a repository, a README or a log;
- **derived**: by arithmetic from published logs or counts;
- **issue**: in an issue thread;
- **memory**: unconfirmed.

An empty cell means that our sources do not say. That holds for counts too: a generator whose pictures are those of
another suite gets a count only if a source gives it for that suite.

A generator without a real pool has its own reals, beside its fakes. Counts of generators are of test pictures; counts
of training sets are of real and fake pictures together.

Folders are matched to generators without regard to case and punctuation. *In-domain for* names the training sets that
hold a generator; it then stays out of held-out means. *Same pictures as* names the same pictures in other suites; a
protocol over several suites names only one of them.
"""


def suite_rows(chosen: Iterable[Suite]) -> list[dict[str, str]]:
    """One row for each suite: key, title, layouts, training sets."""
    return [
        {
            "suite": suite.key,
            "title": suite.title,
            "generators": str(len(suite.generators)),
            "layouts": ", ".join(suite.layouts),
            "training sets": ", ".join(suite.training_sets),
        }
        for suite in chosen
    ]


def protocol_rows(chosen: Iterable[Protocol]) -> list[dict[str, str]]:
    """One row for each protocol."""
    return [{"protocol": p.key, "title": p.title, "generators": str(len(p.members))} for p in chosen]


def generator_rows(chosen: Iterable[Generator]) -> list[dict[str, str]]:
    """One row for each generator; columns that are empty for all are left out."""
    rows = [
        {
            "generator": generator.key,
            "name": generator.name,
            "family": generator.family,
            "folders": ", ".join(generator.folders),
            "pipeline": generator.pipeline or "",
            "released": f"{generator.released.month} [{generator.released.certainty}]" if generator.released else "",
            "pixels": str(generator.native_size or ""),
            "real pool": "" if generator.real_pool == generator.key else generator.real_pool,
            "pictures": _pictures(generator),
            "in-domain for": ", ".join(generator.in_domain_for),
            "same pictures as": ", ".join(generator.same_as),
            "note": generator.note or "",
        }
        for generator in chosen
    ]
    return _without_empty(rows)


def training_rows(suite: Suite) -> list[dict[str, str]]:
    """One row for each training set of a suite."""
    return _without_empty(
        [
            {
                "training set": part.key,
                "title": part.title,
                "folders": ", ".join(folder for source in part.sources for folder in source.folders),
                "pictures": count_text(part.n),
                "note": part.note or "",
            }
            for part in suite.training_sets.values()
        ]
    )


def pool_rows(suite: Suite) -> list[dict[str, str]]:
    """One row for each pool with folders of its own."""
    return _without_empty(
        [
            {
                "real pool": pool.key,
                "name": pool.name,
                "folders": ", ".join(pool.folders),
                "pictures": count_text(pool.n),
                "note": pool.note or "",
            }
            for pool in suite.pools.values()
            if pool.folders
        ]
    )


def member_rows(protocol: Protocol) -> list[dict[str, str]]:
    """One row for each generator of a protocol."""
    rows = []
    for member in protocol.members:
        suite, key = member.split("/")
        rows.append({"suite": suite, **generator_rows([suites()[suite].generators[key]])[0]})
    wanted = ("suite", "generator", "name", "family", "in-domain for")
    return _without_empty([{column: row.get(column, "") for column in wanted} for row in rows])


def count_text(count: Count | None) -> str:
    """A count for people, like "about 14,900 [read]"; empty if there is none."""
    if count is None:
        return ""
    return f"{'about ' if count.about else ''}{count.value:,} [{count.certainty}]"


def _pictures(generator: Generator) -> str:
    halves = {"real": generator.n_real, "fake": generator.n_fake}
    counts = halves if all(halves.values()) else {**halves, "in all": generator.n_total}
    return ", ".join(f"{count_text(count)} {what}" for what, count in counts.items() if count)


def facts(suite: Suite) -> list[str]:
    """What is known of a suite beside its tables, a line each."""
    layouts = [f"Layout {kind}: {tree}" for kind, tree in suite.layouts.items()]
    hosts = [f"Host: {host}" for host in suite.hosts]
    return [f"Citation: {suite.citation}", f"Licence: {suite.licence}", *hosts, *layouts, *suite.notes]


def page() -> str:
    """The page docs/suites.md."""
    parts = [f"<!-- Generated by `{COMMAND}`; do not edit. -->\n", INTRODUCTION]
    parts += [_table(suite_rows(suites().values())), _table(protocol_rows(protocols().values()))]
    for suite in suites().values():
        parts.append(f"## {suite.title}\n\nKey `{suite.key}`, {len(suite.generators)} generator(s).\n")
        parts.append("".join(f"- {_escaped(line)}\n" for line in facts(suite)))
        tables = (generator_rows(suite.generators.values()), pool_rows(suite), training_rows(suite))
        parts += [_table(rows) for rows in tables if rows]
    for protocol in protocols().values():
        parts.append(f"## Protocol {protocol.key}: {protocol.title}\n\n{protocol.statement}\n")
        parts.append(_table(member_rows(protocol)))
    return "\n".join(parts)


def _table(rows: list[dict[str, str]]) -> str:
    import polars as pl

    from nsnet.core.printing import markdown_table

    return markdown_table(pl.DataFrame([{name: _escaped(value) for name, value in row.items()} for row in rows]))


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: <class> would vanish as a tag, a bar would end the cell."""
    return text.replace("<", "\\<").replace("|", "\\|")


def _without_empty(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    kept = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    return [{name: row[name] for name in kept} for row in rows]
