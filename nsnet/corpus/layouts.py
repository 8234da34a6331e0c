"""Layouts: which role a picture plays, read from the names of the folders above it.

Each published suite has a layout of its own, and a user's folder a simpler one. All are
read by one rule per folder: find the label, the split and the generator among its names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nsnet.corpus.recognition import LABELS, SPLITS, TRAINED, Parts, SuiteFolder, find_suites, label_place
from nsnet.suites import Suite, normalised

EXPECTED = (
    "a manifest (csv, jsonl or parquet) with columns path and label, folders 0_real and 1_fake, nature and ai,"
    " real beside fake/<generator>, or a suite's own folders (`nsnet suites list`)"
)


@dataclass(frozen=True)
class Role:
    """One file in one role, before the file has been opened.

    Attributes are columns of the table samples, but for the path.
    """

    path: str
    suite: str
    label: int
    generator: str
    family: str
    split: str
    real_pool: str
    class_name: str | None = None
    training_set: str | None = None
    caption: str | None = None
    caption_source: str | None = None
    cluster: str | None = None
    draw: int | None = None


def roles(names: Iterable[str], folder: str, suite: str | None) -> tuple[list[Role], dict[str, str]]:
    """Roles of pictures by their paths; and the paths that no layout explains, each with the reason.

    Args:
        names: paths below the tree's root, / separated.
        folder, suite: as `nsnet.corpus.recognition.find_suites`.

    Returns:
        Roles, and reasons by path.

    Raises:
        ValueError: as there.
    """
    names = list(names)
    corpora = find_suites(names, folder, suite)
    known = corpora[""].known if "" in corpora else None
    # The tree may be one generator's or one split's folder of a suite.
    inside = [folder] if known and (known.find(folder) or folder.casefold() in SPLITS) else []
    placed: list[Role] = []
    unplaced: dict[str, str] = {}
    folders: dict[PurePosixPath, list[Role]] = {}
    for name in names:
        parent = PurePosixPath(name).parent
        if parent not in folders:
            top = parent.parts[0] if parent.parts and parent.parts[0] in corpora else ""
            parts = parent.parts[1:] if top else (*inside, *parent.parts)
            folders[parent] = list(_folder_roles(parts, corpora[top])) if top in corpora else []
        placed += [Role(**{**vars(role), "path": name}) for role in folders[parent]]
        if not folders[parent]:
            labelled = any(part.casefold() in LABELS for part in parent.parts)
            unplaced[name] = f"the folders above it {'name both labels' if labelled else 'name no label'}"
    return placed, unplaced


def _folder_roles(parts: Parts, corpus: SuiteFolder) -> Iterator[Role]:
    """The roles of every picture in one folder, one for each training set it is in; none if no rule applies."""
    known, at = corpus.known, label_place(parts)
    if at is None:
        yield from _pool_role(parts, corpus)
        return
    label, above, below = LABELS[parts[at].casefold()], parts[:at], parts[at + 1 :]
    splits = [SPLITS[part.casefold()] for part in (*reversed(above), *below) if part.casefold() in SPLITS]
    split = splits[0] if splits else "test"
    if known and "nature_ai" in known.layouts and split == "validation":
        split = "test"  # GenImage has no test folder: papers test on val
    owners, inner = ([part for part in side if part.casefold() not in SPLITS] for side in (above, below))
    trained = _training_sets(owners, known) if split in TRAINED else []
    if trained:
        generator, family = trained[0][1:]
        of_maker = known is not None and (known.find(owners[-1]) or normalised(owners[-1]) == normalised(generator))
        pool, class_name = generator, None if of_maker else owners[-1]
    else:
        generator, family, pool, class_name = _owner(owners, inner, label, parts[at], known)
    maker, kind = (generator, family) if label else (pool, "real")
    sets: list[str | None] = [name for name, *_ in trained]
    for training_set in sets or [corpus.name if split in TRAINED else None]:
        yield Role("", corpus.name, label, maker, kind, split, pool, class_name, training_set)


def _training_sets(owners: list[str], known: Suite | None) -> list[tuple[str, str, str]]:
    """Training sets of the suite that a folder belongs to: (set, generator, family)."""
    folded = {normalised(owner) for owner in owners}
    return [
        (training_set.key, source.generator, source.family)
        for training_set in (known.training_sets.values() if known else ())
        for source in training_set.sources
        if folded & {normalised(folder) for folder in source.folders}
    ]


def _owner(
    owners: list[str], below: list[str], label: int, mark: str, known: Suite | None
) -> tuple[str, str, str, str | None]:
    """Generator, family, real pool and class of a labelled folder."""
    if known:
        for i in reversed(range(len(owners))):
            pool = None if label else known.find_pool(owners[i])
            if pool:
                return pool.key, "real", pool.key, None
            generator = known.find(owners[i])
            if generator:
                inner = [part for part in (*owners[i + 1 :], *below) if not known.find(part)]
                return generator.key, generator.family, generator.real_pool, next(iter(inner), None)
        if len(known.generators) == 1:
            only = next(iter(known.generators.values()))
            return only.key, only.family, only.real_pool, None
    if owners:  # <generator>/[class/]0_real: each generator has reals of its own
        inner = [*owners[1:], *below]
        return owners[0], "unknown", owners[0], next(iter(inner), None)
    # real/[source/] beside fake/<generator>/: one pool for all
    return (below[0] if below else mark) if label else "real", "unknown", "real", None


def _pool_role(parts: Parts, corpus: SuiteFolder) -> Iterator[Role]:
    """Folders without labels: fakes named by generator beside real pools they share (diffusion_datasets)."""
    known = corpus.known
    if known is None or "shared_pools" not in known.layouts:
        return
    for part in reversed(parts):
        pool, generator = known.find_pool(part), known.find(part)
        if pool:
            yield Role("", corpus.name, 0, pool.key, "real", "test", pool.key)
            return
        if generator:
            yield Role("", corpus.name, 1, generator.key, generator.family, "test", generator.real_pool)
            return
