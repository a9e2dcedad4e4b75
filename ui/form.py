"""The experiment as a form: the essentials in sight, the rest folded away, all of it made from the spec's fields."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from lossdiag.registry import Task
from lossdiag.spec import ExperimentSpec, get_path, patch
from ui import state
from ui.controls import controls, initial, ladder
from ui.losses import choose_losses
from ui.text import counted, plain

# The upper rungs break most set-ups: seeing that is half of the lesson.
_RATES = ("0.0001", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10", "100")
_SEEDS = ("1", "3", "5", "10", "20")


def experiment_form(spec: ExperimentSpec, task: Task) -> ExperimentSpec:
    """Draw every part of `spec` but its data, and return the spec that the widgets make.

    Raises:
        SpecError: the values do not go together, or one is not allowed.
    """
    st.markdown("##### Losses")
    losses = choose_losses(spec.losses, task)
    st.markdown("##### Training")
    values = _essentials(spec)
    with st.expander("Model", icon=":material/hub:"):
        values |= controls(spec.model, "model", without=("kind", "width", "depth"))
    with st.expander("Optimizer and schedule", icon=":material/trending_down:"):
        values |= controls(spec.optimizer, "optimizer", without=("lr",))
        values |= controls(spec.schedule, "schedule")
    with st.expander("Clipping and penalties", icon=":material/content_cut:"):
        values |= controls(spec.clip, "clip")
        values |= controls(spec.regularise, "regularise")
    with st.expander("Batches, precision, stopping", icon=":material/timer:"):
        values |= controls(spec.train, "train", without=("steps",))
        values |= controls(spec.stop, "stop")
    drafted = patch(spec.model_copy(update={"losses": losses, "grid": {}}), values)
    with st.expander("Grid: more members", icon=":material/grid_on:"):
        return patch(drafted, {"grid": _grid(spec, drafted)})


def _essentials(spec: ExperimentSpec) -> dict[str, Any]:
    left, right = st.columns(2)
    with left:
        rate = ladder(
            "learning rate",
            _RATES,
            state.key("optimizer.lr"),
            f"{spec.optimizer.lr:g}",
            read_number,
            "From too small to far too large: the last ones break most set-ups on purpose. Or type your own.",
        )
        width = controls(spec.model, "model", ("width",))
    with right:
        seeds = ladder(
            "seeds",
            _SEEDS,
            state.key("seeds"),
            seeds_text(spec.seeds),
            read_seeds,
            "Trainings per loss, each with initial weights and a batch order of its own; or your own list: 3, 7, 11",
        )
        depth = controls(spec.model, "model", ("depth",))
    steps = controls(spec.train, "train", ("steps",))
    return {"optimizer.lr": rate, "seeds": seeds, **width, **depth, **steps}


def _grid(spec: ExperimentSpec, drafted: ExperimentSpec) -> dict[str, tuple[Any, ...]]:
    st.caption("Train every loss and seed once more for each value of what you pick here.")
    offered = drafted.grid_paths()
    key = state.key("grid")
    initial(key, [p for p in spec.grid if p in offered])
    st.session_state[key] = [p for p in st.session_state[key] if p in offered]
    grid: dict[str, tuple[Any, ...]] = {}
    for path in st.multiselect("vary", offered, key=key, help="A value of the experiment, by its path."):
        values = state.key(f"grid.{path}")
        initial(values, ", ".join(_written(v) for v in spec.grid.get(path, (get_path(drafted, path),))))
        grid[path] = read_values(st.text_input(path, key=values, help="Values, separated by commas."))
    return grid


def read_number(text: str) -> float:
    """Read a number, or raise ValueError with what was expected."""
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number such as 0.003 or 1e-4") from None


def read_seeds(text: str) -> tuple[int, ...]:
    """Read ``"5"`` as the first five seeds, ``"3, 7, 11"`` as these seeds; raise ValueError with what was expected."""
    parts = [p for p in re.split(r"[,;\s]+", text.strip()) if p]
    if not parts or not all(p.isdecimal() and len(p) <= 10 for p in parts):
        raise ValueError("how many seeds, such as 5, or a list of them, such as 3, 7, 11")
    if len(parts) == 1 and text.strip() == parts[0]:
        if not 1 <= int(parts[0]) <= 1000:
            raise ValueError("from 1 to 1000 seeds")
        return tuple(range(int(parts[0])))
    return tuple(int(p) for p in parts)


def seeds_text(seeds: tuple[int, ...]) -> str:
    """Return the text that `read_seeds` reads as `seeds`."""
    if seeds == tuple(range(len(seeds))):
        return str(len(seeds))
    return ", ".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")


def read_values(text: str) -> tuple[Any, ...]:
    """Read values separated by commas: numbers, true and false, none, and words."""
    return tuple(_value(part.strip()) for part in text.split(",") if part.strip())


def member_count(spec: ExperimentSpec) -> str:
    """Say how many members `spec` trains and from what, such as ``3 losses × 5 seeds = 15 members``."""
    shared = {path: values for path, values in spec.grid.items() if not path.startswith("losses.")}
    own = [path for path in spec.grid if path not in shared]
    parts = [counted(len(spec.losses), "loss", "losses"), counted(len(spec.seeds), "seed")]
    parts += [f"{len(values)} × {path.rpartition('.')[2]}" for path, values in shared.items()]
    some = f" (some with several {', '.join(path.rpartition('.')[2] for path in own)})" if own else ""
    return plain(f"{' × '.join(parts)}{some} = {counted(len(spec.members()), 'member')}")


def _value(word: str) -> Any:
    named = {"true": True, "false": False, "none": None}
    if word.lower() in named:
        return named[word.lower()]
    for read in (int, float):
        try:
            return read(word)
        except ValueError:
            continue
    return word


def _written(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
