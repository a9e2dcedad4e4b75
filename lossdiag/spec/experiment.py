"""The experiment as a whole, and the members that it expands to."""

from __future__ import annotations

import contextlib
import functools
import itertools
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from lossdiag.errors import SpecError
from lossdiag.registry import ParamValue
from lossdiag.spec.parts import (
    ClipSpec,
    DataSpec,
    LossSpec,
    ModelSpec,
    OptimizerSpec,
    Part,
    RegulariseSpec,
    ScheduleSpec,
    StopSpec,
    TrainSpec,
)
from lossdiag.spec.paths import get_path, known_paths, patch
from lossdiag.spec.refusal import refusal

MAX_MEMBERS = 1000
# One run has one clock: its length and the places where it looks up cannot differ between members.
_NOT_IN_GRID = ("seeds", "grid", "stop", "train.steps", "train.eval_every", "train.device", "name")


@dataclass(frozen=True, slots=True)
class Member:
    """One training among those of a run.

    Attributes:
        id: position in the run, from 0; the number that recordings use.
        loss: the loss it minimises.
        seed: seed of its initial weights, batch order and dropout; members that share it start alike.
        grid: the values that the grid gave it, by dotted path.
    """

    id: int
    loss: LossSpec
    seed: int
    grid: Mapping[str, Any]

    @property
    def config(self) -> str:
        """Label of what it has in common with its siblings of other seeds: loss and grid values."""
        values = [f"{path.removeprefix('optimizer.')}={_plain(v)}" for path, v in self.grid.items()]
        return " ".join([self.loss.label, *(v for v in values if not v.startswith("losses."))])

    @property
    def label(self) -> str:
        """Label that no other member of the run has."""
        return f"{self.config} seed {self.seed}"


class ExperimentSpec(Part):
    """Everything a run is made from, as plain data.

    `members` expands it to losses x grid x seeds; each member's own spec is `member_spec`.
    """

    name: str = Field("", max_length=120, description="what to call the run; empty means made from its contents")
    data: DataSpec = Field(default_factory=DataSpec)
    model: ModelSpec = Field(default_factory=ModelSpec)
    losses: tuple[LossSpec, ...] = Field(
        (LossSpec(name="bce_with_logits"), LossSpec(name="focal_binary"), LossSpec(name="hinge")),
        min_length=1,
        description="the losses that race",
    )
    optimizer: OptimizerSpec = Field(default_factory=OptimizerSpec)
    schedule: ScheduleSpec = Field(default_factory=ScheduleSpec)
    clip: ClipSpec = Field(default_factory=ClipSpec)
    regularise: RegulariseSpec = Field(default_factory=RegulariseSpec)
    train: TrainSpec = Field(default_factory=TrainSpec)
    seeds: tuple[int, ...] = Field((0, 1, 2, 3, 4), min_length=1, description="a list of seeds, or how many from 0")
    grid: dict[str, tuple[Any, ...]] = Field(default_factory=dict, description="dotted path -> values to try")
    stop: StopSpec = Field(default_factory=StopSpec)

    @field_validator("losses", mode="before")
    @classmethod
    def _one_loss(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, Mapping, LossSpec)) else value

    @field_validator("losses")
    @classmethod
    def _distinct_losses(cls, losses: tuple[LossSpec, ...]) -> tuple[LossSpec, ...]:
        labels = [loss.label for loss in losses]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice:
            raise ValueError(f"loss {twice!r} is listed twice; give one of them other parameters or remove it")
        return losses

    @field_validator("seeds", mode="before")
    @classmethod
    def _seed_count(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= MAX_MEMBERS:
                raise ValueError(f"expected a list of seeds, or how many to use: 1 to {MAX_MEMBERS}")
            return tuple(range(value))
        return value

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds) or not all(0 <= s < 2**31 for s in seeds):
            raise ValueError("expected distinct whole numbers from 0 to 2147483647, or how many to use")
        return seeds

    @field_validator("grid", mode="before")
    @classmethod
    def _lists(cls, grid: Any) -> Any:
        if isinstance(grid, Mapping):
            return {path: v if isinstance(v, (list, tuple)) else (v,) for path, v in grid.items()}
        return grid

    @model_validator(mode="after")
    def _whole(self) -> ExperimentSpec:
        if self.optimizer.nesterov and self.optimizer.momentum == 0:
            raise ValueError("optimizer.nesterov needs optimizer.momentum above 0")
        if self.grid:
            self._check_grid()
        count = len(self.losses) * len(self.seeds)
        for values in self.grid.values():
            count *= len(values)
        if count > MAX_MEMBERS:
            raise ValueError(f"{count} members (losses x seeds x grid); at most {MAX_MEMBERS}: fewer seeds or values")
        return self

    def _check_grid(self) -> None:
        base = self._ungridded
        for path, values in self.grid.items():
            if any(path == no or path.startswith(no + ".") for no in _NOT_IN_GRID):
                raise ValueError(f"grid path {path!r} must be the same for all members of a run")
            if not values:
                raise ValueError(f"grid path {path!r} has no values")
            names = [_read(value) for value in values]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:  # members of both would have one label, and be taken for one configuration
                raise ValueError(f"grid path {path!r} lists {twice} twice; values must differ in six digits")
            try:
                get_path(base, path)
                if not path.startswith("optimizer."):  # nesterov and momentum are checked together, below
                    for value in values:
                        patch(base, {path: value})
            except SpecError as error:
                raise ValueError(str(error)) from None
        optimizer = [p for p in self.grid if p.startswith("optimizer.")]
        for combination in itertools.product(*(self.grid[p] for p in optimizer)):
            try:
                patch(base, dict(zip(optimizer, combination, strict=True)))
            except SpecError as error:
                raise ValueError(f"grid: {error}") from None

    @functools.cached_property
    def _ungridded(self) -> ExperimentSpec:
        return self.model_copy(update={"grid": {}})

    @classmethod
    def parse(cls, plain: Any) -> ExperimentSpec:
        """Build a spec from plain data.

        Raises:
            SpecError: a value is not allowed; the message names the path, what came and what was expected.
        """
        if not isinstance(plain, Mapping):
            raise SpecError(
                f"an experiment is a mapping of fields such as data, model, losses, not {reprlib.repr(plain)}"
            )
        try:
            return cls.model_validate(dict(plain))
        except ValidationError as error:
            raise refusal(error, cls) from None

    def members(self) -> tuple[Member, ...]:
        """Return all members, losses outermost, then grid values, then seeds.

        A grid path into one loss (``losses.0.params.gamma``) varies the members of that loss only.
        """
        found: list[Member] = []
        for index, loss in enumerate(self.losses):
            paths = [p for p in self.grid if not p.startswith("losses.") or p.split(".")[1] == str(index)]
            for combination in itertools.product(*(self.grid[p] for p in paths)):
                patched = patch(self._ungridded, dict(zip(paths, combination, strict=True))) if paths else self
                values = {p: get_path(patched, p) for p in paths}
                own = patched.losses[index] if paths else loss
                found.extend([Member(len(found) + i, own, seed, values) for i, seed in enumerate(self.seeds)])
        return tuple(found)

    def member_spec(self, member: Member) -> ExperimentSpec:
        """Return the spec that trains `member` alone: one loss, one seed, no grid."""
        alone = {p: v for p, v in member.grid.items() if not p.startswith("losses.")}
        patched = patch(self._ungridded, alone) if alone else self._ungridded
        return patched.model_copy(update={"losses": (member.loss,), "seeds": (member.seed,)})

    def grid_paths(self) -> tuple[str, ...]:
        """Return the dotted paths that a grid may vary: those whose value may differ between members of one run."""
        never = tuple(f"{path}." for path in _NOT_IN_GRID)
        return tuple(p for p in known_paths(self) if not f"{p}.".startswith(never))

    @property
    def title(self) -> str:
        """The name, or one made from data and losses."""
        return self.titled(self.data.source.partition(":")[2].rpartition("/")[2])

    def titled(self, data_name: str) -> str:
        """Return the name, or one made from `data_name` and the losses; an upload's own source is but a hash."""
        names = ", ".join(loss.label for loss in self.losses[:3]) + (" ..." if len(self.losses) > 3 else "")
        return self.name or f"{data_name}: {names}"


def _plain(value: ParamValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _read(value: Any) -> str:
    """Return how a grid value will be labelled, numbers given as text included."""
    for kind in (int, float) if isinstance(value, str) else ():
        with contextlib.suppress(ValueError):
            return _plain(kind(value))
    return _plain(value)
