"""Recognition: which suites lie in a tree of pictures, by what its folders are called."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from nsnet.suites import Suite, known_suite, named_suite, suites

# From the plainest to the most ambiguous: a shard called 0 below 1_fake is no label.
LABEL_NAMES = ({"0_real": 0, "1_fake": 1}, {"real": 0, "fake": 1}, {"nature": 0, "ai": 1}, {"0": 0, "1": 1})
LABELS = {name: label for names in LABEL_NAMES for name, label in names.items()}
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
    "semantics": "semantics",
}
# Splits whose pictures belong to a training set.
TRAINED = ("train", "validation")
# The share of a tree's labelled folders that a suite must know, if nothing bears its name.
KNOWN_SHARE = 0.9

Parts = tuple[str, ...]


@dataclass(frozen=True)
class SuiteFolder:
    """A folder that holds one suite: its name, and what the registry knows of it."""

    name: str
    known: Suite | None


def label_place(parts: Parts) -> int | None:
    """Which of a file's folders, outermost first, names its label; None if none does or if two contradict."""
    for names in LABEL_NAMES:
        marks = [place for place, part in enumerate(parts) if part.casefold() in names]
        if marks:
            labels = {names[parts[place].casefold()] for place in marks}
            return marks[-1] if len(labels) == 1 else None
    return None


def find_suites(names: Iterable[str], folder: str, suite: str | None) -> dict[str, SuiteFolder]:
    """Find the suites in a tree: top-level folder ("" for what is left of the tree) to suite.

    A top-level folder that bears a suite's name is that suite. The others are one suite if
    the tree bears its name or if it knows nearly all of their folders; else each is
    judged alone, and what is left is a corpus of the user's own, called `folder`.

    Args:
        names: paths below the tree's root, / separated.
        folder: the root's own name.
        suite: name of the suite, if the user says so; then all of the tree is it.

    Returns:
        Suites by folder; what is no registered suite has its folder's name.

    Raises:
        ValueError: `suite` is nearly, but not quite, a registered one.
    """
    if suite is not None:
        known = named_suite(suite)
        return {"": SuiteFolder(known.key if known else suite, known)}
    tops: dict[str, set[Parts]] = {}
    for parent in {PurePosixPath(name).parent for name in names}:
        tops.setdefault(parent.parts[0] if parent.parts else "", set()).add(parent.parts)
    by_top = {top: SuiteFolder(known.key, known) for top in tops if (known := known_suite(top))}
    rest = {top: folders for top, folders in tops.items() if top not in by_top}
    known = known_suite(folder) or _recognise(set().union(*rest.values()))
    if known is None:
        for top, folders in rest.items():
            nameless = top.casefold() in {*LABELS, *SPLITS}
            alone = None if nameless else _recognise({parts[1:] for parts in folders})
            if alone:
                by_top[top] = SuiteFolder(alone.key, alone)
    if not rest.keys() <= by_top.keys() or not by_top:
        by_top[""] = SuiteFolder(known.key if known else folder, known)
    return by_top


def _recognise(folders: set[Parts]) -> Suite | None:
    """The suite that knows nearly all folders and, among equals, lacks fewest generators."""
    places = {parts: label_place(parts) for parts in folders if parts}
    owners = [parts[:place] for parts, place in places.items()]
    labelled = [place is not None for place in places.values()]
    marks = {part.casefold() for parts in folders for part in parts}
    vocabulary = {part for parts in owners for part in parts}

    def fit(known: Suite) -> tuple[int, float]:
        words = {part for part in vocabulary if known.knows(part)}
        tells = [not words.isdisjoint(parts) for parts in owners]
        matches = sum(tells)
        # What no layout reads, a cache or thumbnails, says nothing about the suite.
        asked = sum(map(operator.or_, tells, labelled)) if any(labelled) else len(owners)
        generators = {generator.key for part in vocabulary if (generator := known.find(part))}
        pools = {pool.key for part in vocabulary if (pool := known.find_pool(part))}
        natural = "nature_ai" in known.layouts
        # One name alone could be anybody's; GenImage's ai and nature are marks enough.
        named = len(generators) + len(pools) >= (1 if natural else 2) and len(generators) > 0
        enough = named and matches >= KNOWN_SHARE * asked
        readable = natural == bool(marks & LABEL_NAMES[2].keys())
        return (matches if enough and readable else 0), len(generators) / max(1, len(known.generators))

    best = max(suites().values(), key=fit)
    return best if fit(best)[0] else None
