"""Protocols: training sets and tests drawn from pictures whose layout gives them no role in training.

A training set holds fakes of some generators; the others are what it is judged on. It may be
drawn several times, of other generators and other reals each time: what is trained on is a
source of variance, as the seed is, and seed `s` trains on draw `s` modulo their number. Reals of
the caption pool are in nothing else; of the others, a run is tested on those that it was not
trained on.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from nsnet.corpus.content import has_content
from nsnet.corpus.layouts import Role
from nsnet.corpus.settings import FamilyLeftOut, OlderThan, Protocols, Rule, TrainedOn
from nsnet.suites import suites

PAIRED, SWAPPED = "paired", "swapped"


def drawn_from(suite: str) -> str:
    """The suite that a table of tests was drawn from: `suite` itself, or without its ending."""
    return suite.removesuffix(f"-{PAIRED}").removesuffix(f"-{SWAPPED}")


def drawn_roles(placed: list[Role], protocols: Protocols) -> list[Role]:
    """Give the pictures of the suites that `protocols` names the roles that it asks for.

    Test fakes stand in up to three tables: the suite's, of all test pictures; `<suite>-paired`,
    of fakes with the content against reals without, as a biased set is trained; and
    `<suite>-swapped`, the other way round. A run is not judged on generators whose pictures it
    was trained on (`nsnet.evaluation.exams`).

    Args:
        placed: every role that layouts and manifests tell.
        protocols: the section corpus.protocols.

    Returns:
        Roles of other suites as they were, then those that were drawn.

    Raises:
        ValueError: a suite has no pictures here, or a training set cannot be drawn, all of them at once.
    """
    fakes = [role for role in placed if role.suite in protocols.fakes and role.label == 1]
    photographs = [role for role in placed if role.suite in protocols.reals and role.label == 0]
    faults = [
        f"  {name}: {suite} has no {label} here"
        for name, label, roles in (("fakes", "fake", fakes), ("reals", "real", photographs))
        for suite in getattr(protocols, name)
        if suite not in {role.suite for role in roles}
    ]
    if faults:
        raise ValueError("section corpus.protocols has fault(s):\n" + "\n".join(faults))
    pool, reals = _share(photographs, protocols.pool, protocols, "pool")
    drawn = [replace(role, split="semantics") for role in pool]
    drawn += _tests(fakes, reals, protocols)
    for name, rule in protocols.training_sets.items():
        try:
            drawn += _training_set(name, rule, fakes, reals, protocols)
        except ValueError as error:
            faults.append(f"  training_sets.{name}: {error}")
    if faults:
        raise ValueError("section corpus.protocols has fault(s):\n" + "\n".join(faults))
    others = {*protocols.fakes, *protocols.reals}
    return [role for role in placed if role.suite not in others] + drawn


def _order(seed: str, names: Iterable[str]) -> list[str]:
    """Names in an order that the seed gives; a new name changes no two others' order."""
    return sorted(set(names), key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())


def _has_content(role: Role, protocols: Protocols) -> bool:
    return bool(has_content([role.caption or ""], protocols.content)[0])


def _share(reals: list[Role], share: float, protocols: Protocols, name: str) -> tuple[list[Role], list[Role]]:
    """A share of the reals of each pool, with and without the content alike, and the rest of them."""
    strata: dict[tuple[str, bool], dict[str, Role]] = defaultdict(dict)
    for role in reals:
        strata[role.real_pool, _has_content(role, protocols)][role.path] = role
    parts: tuple[list[Role], list[Role]] = ([], [])
    for _, roles in sorted(strata.items()):
        order = _order(f"{protocols.seed}/{name}", roles)
        cut = round(share * len(order))
        parts[0].extend(roles[path] for path in order[:cut])
        parts[1].extend(roles[path] for path in order[cut:])
    return parts


def _validated(roles: list[Role], protocols: Protocols) -> Iterator[Role]:
    """Training pictures, some of each label set aside for validation: whole clusters, where pictures have one."""
    for label in (0, 1):
        mine = {role.path: role for role in roles if role.label == label}
        clusters = _order(f"{protocols.seed}/validation", (role.cluster or path for path, role in mine.items()))
        aside = set(clusters[: max(1, round(protocols.validation * len(clusters)))])
        for path, role in mine.items():
            yield replace(role, split="validation" if (role.cluster or path) in aside else "train")


def _tests(fakes: list[Role], reals: list[Role], protocols: Protocols) -> Iterator[Role]:
    # Whether a table's fakes have the content; its reals then lack it.
    tables: dict[str, bool | None] = {"": None}
    if protocols.content:
        tables |= {f"-{PAIRED}": True, f"-{SWAPPED}": False}
    for suite, (ending, asked) in itertools.product(protocols.fakes, tables.items()):
        mine = [role for role in fakes if role.suite == suite]
        for role in mine:
            if asked is None or _has_content(role, protocols) == asked:
                yield replace(role, suite=suite + ending)
        for pool, role in itertools.product(sorted({role.real_pool for role in mine}), reals):
            if asked is None or _has_content(role, protocols) != asked:
                yield replace(role, suite=suite + ending, real_pool=pool)


def _training_set(name: str, rule: Rule, fakes: list[Role], reals: list[Role], protocols: Protocols) -> Iterator[Role]:
    for number, generators in enumerate(_draws(name, rule, fakes, protocols.seed)):
        # A share of all reals, of which the pool has left these.
        share = min(1.0, protocols.train / (1 - protocols.pool))
        photographs, _ = _share(reals, share, protocols, f"{name}/{number}")
        mine = [role for role in fakes if role.generator in generators]
        if rule.biased:
            mine = [role for role in mine if _has_content(role, protocols)]
            photographs = [role for role in photographs if not _has_content(role, protocols)]
        if not mine or not photographs:
            raise ValueError(f"draw {number} has {len(mine)} fakes and {len(photographs)} reals; both are needed")
        for role in _validated(mine + photographs, protocols):
            yield replace(role, training_set=name, draw=number)


def _draws(name: str, rule: Rule, fakes: list[Role], seed: int) -> Iterator[set[str]]:
    """The generators of each draw; some must be left for the test."""
    families = {role.generator: role.family for role in fakes}
    order = _order(f"{seed}/{name}", families)
    match rule:
        case TrainedOn():
            if rule.generators >= len(order):
                raise ValueError(f"{rule.generators} of {len(order)} generators leave none to be tested")
            turns = itertools.cycle(order)
            for _ in range(rule.draws):
                yield set(itertools.islice(turns, rule.generators))
        case FamilyLeftOut():
            if len(set(families.values())) < 2:
                raise ValueError(f"expected generators of several families, got {sorted(set(families.values()))}")
            for left_out in sorted(set(families.values())):
                yield {generator for generator, family in families.items() if family != left_out}
        case OlderThan():
            months = _months(fakes)
            undated = sorted(families.keys() - months.keys())
            if undated:
                raise ValueError(f"the registry knows no month of release of {', '.join(undated)}")
            older = {generator for generator, month in months.items() if month < rule.before}
            if not older or len(older) == len(months):
                raise ValueError(f"{len(older)} of {len(months)} generators are older than {rule.before}")
            yield older


def _months(fakes: list[Role]) -> dict[str, str]:
    """Month of release, as YYYY-MM, of the generators that the registry has one of."""
    found = {}
    for role in fakes:
        known = suites()[role.suite].generators.get(role.generator) if role.suite in suites() else None
        if known and known.released:
            found[role.generator] = known.released.month
    return found
