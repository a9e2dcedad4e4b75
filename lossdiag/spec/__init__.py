"""The experiment as plain data: what to train, on what, how, and which members race."""

from lossdiag.spec.codec import from_json, from_query, from_yaml, to_json, to_query, to_yaml
from lossdiag.spec.experiment import ExperimentSpec, Member
from lossdiag.spec.parts import (
    SAMPLES,
    SYNTHETIC,
    ClipSpec,
    DataSpec,
    LossSpec,
    ModelSpec,
    OptimizerSpec,
    RegulariseSpec,
    ScheduleSpec,
    StopSpec,
    TrainSpec,
)
from lossdiag.spec.paths import get_path, known_paths, patch

__all__ = [
    "SAMPLES",
    "SYNTHETIC",
    "ClipSpec",
    "DataSpec",
    "ExperimentSpec",
    "LossSpec",
    "Member",
    "ModelSpec",
    "OptimizerSpec",
    "RegulariseSpec",
    "ScheduleSpec",
    "StopSpec",
    "TrainSpec",
    "from_json",
    "from_query",
    "from_yaml",
    "get_path",
    "known_paths",
    "patch",
    "to_json",
    "to_query",
    "to_yaml",
]
