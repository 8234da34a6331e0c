"""Is a downloaded suite whole? Counts by generator against the registry, before any work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from nsnet.layouts import EXPECTED, Role, corpora, roles
from nsnet.suites import Count, Suite, suite, suites
from nsnet.tree import file_names, is_archive

# Counts that their source rounds are met if they are this near.
ROUNDED = 0.01


def check_folder(
    root: Path, name: str | None = None, advance: Callable[[int], None] = lambda count: None
) -> list[dict[str, str]]:
    """Compare a tree with the suites in it: one row per generator, training set and unknown folder.

    Columns suite, name, real, fake, unreadable, expected and finding. A file is unreadable
    if its header cannot be read; it is counted as found all the same.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: unknown suite, or a tree in which no registered suite is recognised.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected {EXPECTED}")
    if name is not None:
        suite(name)
    everything = list(file_names(root, [], {}))
    names = [path for path in everything if not is_archive(path)]
    folder = root.resolve().name
    found = [corpus.known for corpus in corpora(names, folder, name).values() if corpus.known]
    if not found:
        raise ValueError(f"no registered suite is recognised in {root}: name one of {', '.join(suites())}")
    placed, unplaced = roles(names, folder, name)
    broken = set()
    for path in names:
        if not _readable(root / path):
            broken.add(path)
        advance(1)
    rows = [row for known in found for row in _suite_rows(known, placed, broken)]
    unused = {"archives, left unpacked": len(everything) - len(names), "folders without a label": len(unplaced)}
    return rows + [_row("", f"({why})", [], broken, "", f"{n} files not used") for why, n in unused.items() if n]


def _readable(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False


def _suite_rows(suite: Suite, placed: list[Role], broken: set[str]) -> Iterator[dict[str, str]]:
    mine = [role for role in placed if role.suite == suite.key]
    for key, generator in suite.generators.items():
        of_test = [role for role in mine if role.split == "test"]
        here = [role for role in of_test if role.generator == key and role.label == 1]
        # Reals of a pool that several generators share are shown with each of them.
        here += [role for role in of_test if role.real_pool == generator.real_pool and role.label == 0] if here else []
        wanted = {"real": generator.n_real or suite.pools[generator.real_pool].n, "fake": generator.n_fake}
        yield _row(suite.key, key, here, broken, *_compare(here, wanted, generator.n_total))
    trained = {role.training_set for role in mine if role.training_set}
    for key in [*suite.training_sets, *sorted(trained - set(suite.training_sets))]:
        here = [role for role in mine if role.training_set == key]
        known = suite.training_sets.get(key)
        expected, finding = _compare(here, {}, known.n if known else None)
        yield _row(suite.key, f"train: {key}", here, broken, expected, finding if known else "surplus: not registered")
    for key in sorted({role.generator for role in mine if role.label == 1 and role.split == "test"}):
        if key not in suite.generators:
            here = [role for role in mine if role.generator == key]
            yield _row(suite.key, key, here, broken, "", "surplus: not registered")


def _compare(here: list[Role], wanted: dict[str, Count | None], total: Count | None) -> tuple[str, str]:
    """What was expected, and how the count differs from it."""
    counts = {"real": _count(here, 0), "fake": _count(here, 1), "real + fake": len({role.path for role in here})}
    expected = {**{side: count for side, count in wanted.items() if count}, **({"real + fake": total} if total else {})}
    text = ", ".join(f"{side} {count.value:,} ({count.certainty})" for side, count in expected.items())
    if not here:
        return text, "missing"
    gaps = []
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
