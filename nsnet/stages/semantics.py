"""Stage semantics: spectrum and basis of the training captions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.params import load_params
from nsnet.semantics.contracts import Captions, SemanticBasis, SemanticSpectrum
from nsnet.semantics.spectrum import Spectrum, choose_rank, spectrum


def encode_captions(backbone: Backbone, captions: list[str], batch: int) -> Iterator[npt.NDArray[np.float32]]:
    """Encode captions batch by batch, with a progress bar."""
    with bar("semantics", len(captions)) as advance:
        for start in range(0, len(captions), batch):
            part = captions[start : start + batch]
            yield backbone.encode_texts(part)
            advance(len(part))


def write_semantics(found: Spectrum, rank: int, paths: Paths) -> None:
    """Store the whole spectrum and all directions; `retained` marks the semantic ones."""
    values = zip(found.values, found.energy, found.vectors, strict=True)
    rows = [
        {"k": k, "singular_value": value, "energy": energy, "retained": k < rank, "vector": vector.tolist()}
        for k, (value, energy, vector) in enumerate(values)
    ]
    for kind in (SemanticSpectrum, SemanticBasis):
        write_table(kind, make(kind, rows), paths.table(kind))


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    settings = params.semantics
    with cost(paths.cost("semantics")):
        captions = read_table(Captions, paths.table(Captions))["caption"].to_list()
        backbone = load_backbone(params.backbone, best_device())
        found = spectrum(encode_captions(backbone, captions, settings.batch), settings.normalise, settings.centre)
        rank = choose_rank(found, settings.energy, settings.tolerance, settings.rank)
        write_semantics(found, rank, paths)
    print(
        f"semantics: {len(captions)} captions, rank {rank} of {len(found.values)}"
        f" holds {found.energy[rank - 1] if rank else 0:.4f} of the energy"
    )
