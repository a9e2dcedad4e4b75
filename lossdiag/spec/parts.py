"""The parts of an experiment. Every field has a default; a field's description is the help shown beside its widget."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from lossdiag.registry import LossInfo, Param, ParamValue, Task, did_you_mean, loss_cards

SampleName = Literal["breast_cancer", "wine", "iris", "diabetes", "digits"]
SyntheticName = Literal[
    "linear", "sine", "spirals", "moons", "circles", "blobs", "checkerboard", "friedman1", "heteroscedastic"
]
SAMPLES: tuple[str, ...] = get_args(SampleName)
SYNTHETIC: tuple[str, ...] = get_args(SyntheticName)

Activation = Literal["identity", "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "softplus", "exp"]
Init = Literal[
    "torch",
    "xavier_uniform",
    "xavier_normal",
    "kaiming_uniform",
    "kaiming_normal",
    "orthogonal",
    "normal",
    "constant",
    "zeros",
]
OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop"]
ScheduleName = Literal["constant", "step", "exponential", "cosine", "one_cycle", "plateau"]
Precision = Literal["float32", "float64", "bf16", "fp16"]

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """Base of every part: immutable, no unknown fields, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSpec(Part):
    """Which rows to learn from, and how they are prepared."""

    UPLOAD: ClassVar[re.Pattern[str]] = re.compile(r"upload:[0-9a-f]{16}")

    source: str = Field(
        "sample:breast_cancer",
        description="sample:NAME, synthetic:NAME, upload:ID (a file given in the browser) or file:PATH",
    )
    target: tuple[str, ...] = Field((), description="target columns of a file; empty means its last column")
    drop: tuple[str, ...] = Field((), description="columns to leave out")
    task: Task | None = Field(None, description="what the target is; empty means inferred from its values")
    missing: Literal["mean", "drop"] = Field(
        "mean",
        description="missing feature values: fill with the training mean (a mark column is added) or drop the row",
    )
    validation: float = Field(0.25, ge=0.05, le=0.9, description="share of rows held out for validation")
    standardize: bool = Field(True, description="scale features (and a regression target) by training mean and std")
    seed: int = Field(0, ge=0, lt=2**31, description="seed of the split and of synthetic data")
    n: int = Field(600, ge=20, le=100_000, description="rows of a synthetic set")
    noise: float = Field(0.1, ge=0, le=10, description="standard deviation of the noise of a synthetic set")
    imbalance: float = Field(
        1.0, ge=1, le=1000, description="synthetic classes: how many times rarer the last class is than the first"
    )
    outliers: Fraction = Field(0.0, description="share of synthetic training rows turned into outliers")
    label_noise: Fraction = Field(0.0, description="share of synthetic training labels replaced by a wrong one")
    scale: Positive = Field(1.0, description="factor on all synthetic features, to study unscaled inputs")

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        kind, _, name = source.partition(":")
        names = {"sample": SAMPLES, "synthetic": SYNTHETIC}.get(kind)
        if names is not None:
            if name not in names:
                raise ValueError(f"expected one of {', '.join(names)} after '{kind}:'.{did_you_mean(name, names)}")
        elif kind == "upload":
            if not cls.UPLOAD.fullmatch(source):
                raise ValueError("expected upload: and 16 hexadecimal digits")
        elif kind != "file" or not name:
            hint = did_you_mean(kind, ("sample", "synthetic", "upload", "file"))
            raise ValueError(f"expected sample:NAME, synthetic:NAME, upload:ID or file:PATH.{hint}")
        return source

    @property
    def synthetic(self) -> bool:
        """Whether the rows are generated, so that the knobs n, noise, imbalance ... apply."""
        return self.source.startswith("synthetic:")


class ModelSpec(Part):
    """A multilayer perceptron."""

    kind: Literal["mlp"] = Field("mlp", description="architecture")
    width: int = Field(16, ge=1, le=4096, description="units of each hidden layer")
    depth: int = Field(2, ge=0, le=64, description="number of hidden layers; 0 is a linear model")
    activation: Activation = Field("relu", description="non-linearity after each hidden layer")
    norm: Literal["none", "batch", "layer"] = Field("none", description="normalisation before each activation")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of hidden units dropped while training")
    skip: bool = Field(False, description="add each hidden layer's input to its output where the widths agree")
    init: Init = Field("torch", description="how weights start; 'torch' is torch.nn.Linear's default")
    gain: NonNegative = Field(
        1.0, description="factor on the initial weights (normal: the standard deviation; constant: the value)"
    )


class LossSpec(Part):
    """A loss by name, with parameters that differ from its defaults."""

    name: str = Field("bce_with_logits", description="see: lossdiag losses")
    params: dict[str, ParamValue] = Field(default_factory=dict, description="parameters by name")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _known_loss(cls, name: str) -> str:
        if name not in loss_cards():
            raise ValueError(f"unknown loss.{did_you_mean(name, loss_cards())} See: lossdiag losses")
        return name

    @model_validator(mode="after")
    def _known_params(self) -> LossSpec:
        known = {p.name: p for p in self.info.params}
        for key, value in self.params.items():
            if key not in known:
                takes = ", ".join(known) or "no parameters"
                raise ValueError(
                    f"loss {self.name!r} has no parameter {key!r}; it takes {takes}.{did_you_mean(key, known)}"
                )
            self.params[key] = _checked(known[key], value)
        return self

    @property
    def info(self) -> LossInfo:
        """The card of this loss."""
        return loss_cards()[self.name]

    @property
    def values(self) -> dict[str, ParamValue]:
        """Every parameter: the defaults, overlaid by those given."""
        return {p.name: p.default for p in self.info.params} | self.params

    @property
    def label(self) -> str:
        """The name with the parameters that were given, as legends show it."""
        inner = ", ".join(f"{k}={_short(v)}" for k, v in sorted(self.params.items()))
        return f"{self.name}({inner})" if inner else self.name


class OptimizerSpec(Part):
    """How gradients become updates; formulas and defaults are those of torch.optim."""

    name: OptimizerName = Field("adam", description="update rule")
    lr: NonNegative = Field(0.01, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="sgd and rmsprop: momentum")
    nesterov: bool = Field(False, description="sgd: Nesterov momentum (needs momentum above 0)")
    beta1: float = Field(0.9, ge=0, lt=1, description="adam and adamw: decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="adam and adamw: decay of the mean of squared gradients")
    alpha: float = Field(0.99, ge=0, lt=1, description="rmsprop: decay of the mean of squared gradients")
    eps: Positive = Field(1e-8, description="added to the denominator")
    weight_decay: NonNegative = Field(
        0.0, description="as in torch.optim: added to the gradient, but decoupled from it in adamw"
    )


class ScheduleSpec(Part):
    """How the learning rate moves over the steps; each is the torch scheduler of the same name, stepped every step."""

    name: ScheduleName = Field("constant", description="shape of the learning rate over time")
    warmup: int = Field(0, ge=0, description="cosine: steps of linear warm-up from a hundredth of the rate")
    every: int = Field(
        100, ge=1, description="step: multiply the rate by gamma every so many steps; exponential: the same, smoothly"
    )
    gamma: float = Field(0.5, gt=0, le=1, description="step, exponential and plateau: factor on the rate")
    floor: Fraction = Field(0.0, description="cosine: final rate as a share of the rate")
    peak_at: float = Field(0.3, gt=0, lt=1, description="one_cycle: share of the steps spent rising")
    patience: int = Field(5, ge=0, description="plateau: evaluations without improvement before the rate drops")


class ClipSpec(Part):
    """Limits on the gradient, per member; empty means none. The recorded norms are those before clipping."""

    norm: Positive | None = Field(None, description="largest norm of a member's whole gradient")
    value: Positive | None = Field(None, description="largest absolute value of a gradient entry")


class RegulariseSpec(Part):
    """Penalties added to the loss, over weights but not biases; recorded apart from the loss."""

    l1: NonNegative = Field(0.0, description="adds l1 * sum |w|")
    l2: NonNegative = Field(0.0, description="adds l2 * sum w^2 (its gradient is 2 * l2 * w)")


class TrainSpec(Part):
    """The length and the arithmetic of training."""

    steps: int = Field(300, ge=1, le=10_000_000, description="optimizer steps")
    batch_size: int = Field(32, ge=1, le=100_000, description="rows per step; capped at the training set")
    accumulate: int = Field(1, ge=1, le=1000, description="batches whose gradients are averaged into one step")
    precision: Precision = Field("float32", description="arithmetic; bf16 and fp16 are mixed precision (autocast)")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train")
    eval_every: int | None = Field(
        None,
        ge=1,
        description="steps between evaluations on all rows; empty means 10 to 25 evaluations by the run's length",
    )

    @property
    def eval_interval(self) -> int:
        """Steps between evaluations, with the default worked out."""
        # In a short run evaluations this close would cost as much as the training between them.
        return self.eval_every or max(math.ceil(self.steps / 25), min(20, math.ceil(self.steps / 10)))


class StopSpec(Part):
    """When to end before the last step. A member whose loss is not finite always stops, at its last good state."""

    patience: int | None = Field(
        None, ge=1, description="stop a member after so many evaluations without a better validation loss"
    )
    max_seconds: Positive | None = Field(None, description="stop the whole run after so much time")


def _checked(param: Param, value: ParamValue) -> ParamValue:
    """Return `value` in the parameter's type, or raise ValueError with what it should have been."""
    if param.kind == "class_weights":
        return _class_weights(param, value)
    if param.kind == "bool":
        if not isinstance(value, bool):
            raise ValueError(f"parameter {param.name!r}: expected true or false, got {value!r}")
        return value
    try:
        number = float(value) if not isinstance(value, (bool, tuple)) else math.nan
    except ValueError:
        number = math.nan
    low = -math.inf if param.low is None else param.low
    high = math.inf if param.high is None else param.high
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"parameter {param.name!r}: expected a number from {low:g} to {high:g}, got {value!r}")
    if param.kind == "int" and number != int(number):
        raise ValueError(f"parameter {param.name!r}: expected a whole number, got {value!r}")
    return int(number) if param.kind == "int" else number


def _class_weights(param: Param, value: ParamValue) -> ParamValue:
    if value in ("none", "balanced"):
        return value
    if isinstance(value, tuple) and value and all(math.isfinite(w) and w >= 0 for w in value) and sum(value) > 0:
        return value
    raise ValueError(
        f"parameter {param.name!r}: expected 'none', 'balanced' or one weight of at least 0 per class, got {value!r}"
    )


def _short(value: ParamValue) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{v:g}" for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
