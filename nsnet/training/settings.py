"""The section `train` of params.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from nsnet.core.settings import Count, Section
from nsnet.detectors.registry import settings_union
from nsnet.detectors.settings import DetectorSettings, Seed

if TYPE_CHECKING:
    AnyDetector = DetectorSettings
else:
    AnyDetector = settings_union()
DEFAULT_KIND = "linear"


class Runtime(Section):
    """What Lightning Fabric is asked for; what a run really used stands in the table runs.

    Attributes:
        accelerator: auto takes the GPU for detectors that read pixels, if there is one, and the CPU
            for heads on features, which are too small for a GPU.
        devices: processes, each with a GPU of its own (or with the CPU), that train a backbone together; what is
            small is trained by the first alone. Batches are those of one process, losses see them whole.
        precision: auto is bf16-mixed on a GPU and 32-true on a CPU, which is slower in bf16; 16-mixed needs a GPU,
            a CPU trains in bf16-mixed instead.
        accumulate: parts into which each batch is split, one after the other, to save memory. An update
            is that of the whole batch, but for losses and layers that compare the pictures of a
            batch, which see a part only: the contrastive loss, batch normalisation.
        gradient_checkpointing: a backbone that is trained computes its layers twice and holds no inner
            values of them: a third more time for much less memory, and the same result.
        workers: processes that read batches ahead; 0 reads them in the training itself.
        checkpoint_steps: updates from one checkpoint to the next.
    """

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Count = 1
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"] = "auto"
    accumulate: Count = 1
    gradient_checkpointing: bool = False
    workers: Annotated[int, Field(ge=0)] = 0
    checkpoint_steps: Count = 200


class Train(Section):
    """Training (stage train).

    Attributes:
        seeds: each detector is trained once with each; of a drawn training set,
            seed s trains on draw s modulo their number.
        conditions: names of section `conditions`; each detector is trained once under each.
        runtime: device, precision and accumulation.
        defaults: settings of a kind that its detectors share unless they say otherwise.
        detectors: by the name they have in tables.
    """

    seeds: Annotated[list[Seed], Field(min_length=1)]
    conditions: Annotated[list[str], Field(min_length=1)]
    runtime: Runtime
    defaults: dict[str, dict[str, Any]]
    detectors: Annotated[dict[str, AnyDetector], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, values: Any) -> Any:
        """Give each detector its kind's defaults where it is silent."""
        detectors = values.get("detectors") if isinstance(values, dict) else None
        if not isinstance(detectors, dict):
            return values
        defaults = values.get("defaults") or {}
        return values | {"detectors": {name: _resolved(choice, defaults) for name, choice in detectors.items()}}

    def seeds_of(self, name: str) -> list[int]:
        """Training seeds of a detector."""
        return self.detectors[name].seeds or self.seeds


def _resolved(choice: Any, defaults: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    kind = choice.get("kind", DEFAULT_KIND)
    shared = defaults.get(kind) if isinstance(defaults, dict) else None
    return {"kind": kind, **(shared if isinstance(shared, dict) else {}), **choice}
