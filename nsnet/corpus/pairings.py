"""Which fakes are told from which reals: every test generator with its real pool."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Pairing:
    """One generator's test fakes and the reals they are compared with, by image_id in order.

    `in_domain_for` names the training sets that have seen the generator; `real_clusters` and
    `fake_clusters` are samples.cluster of each picture, `real_sources` samples.source.
    """

    suite: str
    generator: str
    family: str
    real_pool: str
    in_domain_for: frozenset[str]
    real: list[str]
    fake: list[str]
    real_clusters: list[str | None]
    fake_clusters: list[str | None]
    real_sources: list[str | None]

    @property
    def name(self) -> str:
        """suite/generator, as protocols and messages name it."""
        return f"{self.suite}/{self.generator}"


def pairings(samples: pl.DataFrame) -> list[Pairing]:
    """Pair every generator of the test split with its real pool, by suite and generator.

    Raises:
        ValueError: no fakes to test, pools without reals or generators with several pools, all of them named.
    """
    # A picture that is listed twice counts once, with its first cluster and source.
    order = ["image_id", "cluster", "source"]
    test = samples.filter(split="test").sort(order, nulls_last=True)
    test = test.unique(["suite", "generator", "label", "image_id"], keep="first", maintain_order=True)
    fakes = test.filter(label=1).partition_by("suite", "generator", as_dict=True)
    pools = test.filter(label=0).partition_by("suite", "real_pool", as_dict=True)
    if not fakes:
        raise ValueError("the test split has no fakes: nothing to evaluate")
    split_pools = [
        f"{suite}/{name}" for (suite, name), rows in sorted(fakes.items()) if rows["real_pool"].n_unique() > 1
    ]
    if split_pools:
        raise ValueError(
            f"fakes of one generator name several real pools: {', '.join(split_pools)}; one each is compared"
        )
    wanted = {(suite, rows["real_pool"][0]) for (suite, _), rows in fakes.items()}
    empty = sorted(f"{suite}/{pool}" for suite, pool in wanted - set(pools))
    if empty:
        raise ValueError(f"no real test images in {', '.join(empty)}: each fake needs a pool of reals to be told from")
    return [
        Pairing(
            suite,
            generator,
            rows["family"][0],
            rows["real_pool"][0],
            frozenset(rows["in_domain_for"][0].to_list()),
            reals["image_id"].to_list(),
            rows["image_id"].to_list(),
            reals["cluster"].to_list(),
            rows["cluster"].to_list(),
            reals["source"].to_list(),
        )
        for (suite, generator), rows in sorted(fakes.items())
        for reals in [pools[suite, rows["real_pool"][0]]]
    ]
