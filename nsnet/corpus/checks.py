"""Is a downloaded suite whole? Counts by generator against the registry, before any work is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from nsnet.core.files import open_regular
from nsnet.corpus.images import FORMATS
from nsnet.corpus.layouts import EXPECTED, Role
from nsnet.corpus.manifests import assign_roles, listed_roles
from nsnet.corpus.tree import file_names, is_archive
from nsnet.suites import Count, Suite, suite, suites

# Counts that their source rounds are met if they are this near.
ROUNDED = 0.01


def check_folder(
    root: Path, name: str | None = None, advance: Callable[[int], None] = lambda count: None
) -> list[dict[str, str]]:
    """Compare a tree with the suites in it: one row per generator, training set and reason not to use a file.

    Args:
        root: the tree.
        name: which suite it is; found from the tree if left out.
        advance: told how many files were looked at.

    Returns:
        Columns suite, name, real, fake, unreadable, expected and finding. A file is unreadable if
        its header cannot be read; it is counted as found all the same.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: unknown suite, or a tree in which no registered suite is recognised.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected {EXPECTED}")
    if name is not None:
        suite(name)
    folder = root.resolve().name
    listed, governed = listed_roles(root, folder, name)
    others: dict[str, int] = {}
    everything = list(file_names(root, [role.path for role in listed], others))
    placed, reasons = assign_roles(everything, listed, governed, folder, name)
    archives = sum(is_archive(path) for path in everything)
    known = [suites()[key] for key in suites() if any(role.suite == key for role in placed)]
    if not known:
        hint = f"; {archives} archives want unpacking first" if archives else ""
        raise ValueError(f"no registered suite is recognised in {root}{hint}: name one of {', '.join(suites())}")
    broken = set()
    for path in {role.path: None for role in placed}:
        if not _readable(root / path):
            broken.add(path)
        advance(1)
    rows = [
        row for member in known for row in _suite_rows(member, [r for r in placed if r.suite == member.key], broken)
    ]
    for key in sorted({role.suite for role in placed} - suites().keys()):
        rows.append(_row(key, "(all of it)", [r for r in placed if r.suite == key], broken, "", "no registered suite"))
    left = ", ".join(f"{suffix} {count}" for suffix, count in sorted(others.items()))
    unused = {
        "archives, not unpacked": archives,
        "folders that cannot be opened": sum(path.endswith("/") for path in everything),
        **dict(sorted(Counter(reasons.values()).items())),
        f"no pictures: {left}": sum(others.values()),
    }
    return rows + [_row("", f"({why})", [], broken, "", f"{count} not used") for why, count in unused.items() if count]


def _readable(path: Path) -> bool:
    try:
        with open_regular(path) as stream, Image.open(stream, formats=FORMATS):
            return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _suite_rows(suite: Suite, mine: list[Role], broken: set[str]) -> Iterator[dict[str, str]]:
    of_test = [role for role in mine if role.split == "test"]
    folders = {_folder(role) for role in of_test}
    owners = {folder: [suite.find(part) for part in folder.split("/")] for folder in folders}
    for key, generator in suite.generators.items():
        here = [role for role in of_test if role.generator == key and role.label == 1]
        # Reals of a pool that several generators share are shown with each of them, copies of their own alone.
        pools = {role.real_pool for role in here} or {generator.real_pool}
        pool = [role for role in of_test if role.real_pool in pools and role.label == 0]
        beside = [role for role in pool if generator in owners[_folder(role)]]
        here += beside or (pool if here else [])
        wanted = {"real": generator.n_real or suite.pools[generator.real_pool].n, "fake": generator.n_fake}
        yield _row(suite.key, key, here, broken, *_compare(here, wanted, generator.n_total))
    trained = {role.training_set for role in mine if role.training_set}
    for key in [*suite.training_sets, *sorted(trained - set(suite.training_sets))]:
        here = [role for role in mine if role.training_set == key and role.split == "train"]
        known = suite.training_sets.get(key)
        expected, finding = _compare(here, {}, known.n if known else None)
        yield _row(suite.key, f"train: {key}", here, broken, expected, finding if known else "surplus: not registered")
    for key in sorted({role.generator for role in of_test if role.label == 1} - suite.generators.keys()):
        here = [role for role in of_test if role.generator == key]
        yield _row(suite.key, key, here, broken, "", "surplus: not registered")


def _folder(role: Role) -> str:
    return role.path.rpartition("/")[0]


def _compare(here: list[Role], wanted: dict[str, Count | None], total: Count | None) -> tuple[str, str]:
    """What was expected, and how the count differs from it."""
    counts = {"real": _count(here, 0), "fake": _count(here, 1), "real + fake": len({role.path for role in here})}
    expected = {**{side: count for side, count in wanted.items() if count}, **({"real + fake": total} if total else {})}
    text = ", ".join(f"{side} {count.value:,} ({count.certainty})" for side, count in expected.items())
    if not here:
        return text, "missing"
    gaps = [f"no {side} pictures" for side, label in (("real", 0), ("fake", 1)) if not _count(here, label)]
    for side, count in expected.items():
        gap = counts[side] - count.value
        if abs(gap) > (ROUNDED * count.value if count.about else 0):
            gaps.append(f"{abs(gap):,} {side} {'surplus' if gap > 0 else 'missing'}")
    return text, "; ".join(gaps) or ("as expected" if expected else "found; no count to compare with")


def _count(here: list[Role], label: int) -> int:
    return len({role.path for role in here if role.label == label})


def _row(suite: str, name: str, here: list[Role], broken: set[str], expected: str, finding: str) -> dict[str, str]:
    return {
        "suite": suite,
        "name": name,
        "real": str(_count(here, 0)),
        "fake": str(_count(here, 1)),
        "unreadable": str(len({role.path for role in here} & broken)),
        "expected": expected,
        "finding": finding,
    }
