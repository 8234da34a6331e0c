"""The section `train` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.detectors.settings import DetectorConfig, Fitting


class Train(Fitting):
    """Training (stage train)."""

    detectors: Annotated[dict[str, DetectorConfig], Field(min_length=1)]

    @property
    def fitting(self) -> Fitting:
        """The settings without the list of detectors."""
        return Fitting.model_validate(self.model_dump(exclude={"detectors"}))
