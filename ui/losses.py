"""Choosing the losses that race: those that fit the task, each with widgets made from its card, some of them twice."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import streamlit as st

from lossdiag.errors import SpecError
from lossdiag.registry import LossInfo, Param, ParamValue, Task, loss_cards
from lossdiag.spec import ExperimentSpec, LossSpec
from ui import state
from ui.controls import Shape, initial, number
from ui.text import plain

_MOST_OF_ONE = 8


def fitting(task: Task) -> tuple[str, ...]:
    """Return the names of the losses meant for `task`, in catalog order."""
    return tuple(name for name, card in loss_cards().items() if task in card.tasks)


def slots(losses: Sequence[LossSpec]) -> dict[str, LossSpec]:
    """Return `losses` by slot: the first of a name is ``focal``, the second ``focal #2``."""
    seen: Counter[str] = Counter()
    found: dict[str, LossSpec] = {}
    for loss in losses:
        seen[loss.name] += 1
        found[slot(loss.name, seen[loss.name])] = loss
    return found


def slot(name: str, count: int) -> str:
    """Return the slot of the `count`-th loss called `name`."""
    return name if count == 1 else f"{name} #{count}"


def choose_losses(losses: Sequence[LossSpec], task: Task) -> tuple[LossSpec, ...]:
    """Draw the picker and every chosen loss's parameters; return the losses.

    Raises:
        SpecError: no loss is chosen, or a value is not allowed.
    """
    key, names = state.key("losses"), fitting(task)
    drafted = slots(losses)
    _keep_fitting(key, drafted, names, task)
    held: list[str] = st.session_state[key]
    options = list(dict.fromkeys([*names, *(s for s in drafted if _name(s) in names), *held]))
    about = "The losses that race; all else of the set-up is the same for each."
    picked = st.multiselect("losses", options, key=key, format_func=_title, help=about, wrap=True)
    if not picked:
        raise SpecError("No loss is chosen; choose at least one.")
    st.session_state[_last(task)] = picked
    return tuple(_parameters(chosen, drafted.get(chosen), picked) for chosen in picked)


def _keep_fitting(key: str, drafted: dict[str, LossSpec], names: Sequence[str], task: Task) -> None:
    """Start the picker at the draft's losses; replace those that do not fit the task, and say so.

    In their place come the losses last raced on such a task, else those of an untouched experiment, else the first.
    """
    initial(key, list(drafted))
    held: list[str] = st.session_state[key]
    fit = [s for s in held if _name(s) in names]
    if fit != held:
        usual = [loss.name for loss in ExperimentSpec().losses if loss.name in names]
        st.session_state[key] = fit or st.session_state.get(_last(task)) or usual or list(names[:3])
        gone = ", ".join(plain(_title(s)) for s in held if s not in fit)
        st.info(f"Not for a {task} target, so taken out: {gone}.", icon=":material/info:")


def _last(task: Task) -> str:
    return state.key(f"losses.last.{task}")


def _parameters(chosen: str, drafted: LossSpec | None, picked: Sequence[str]) -> LossSpec:
    card = loss_cards()[_name(chosen)]
    if not card.params:
        with st.expander(_title(chosen), key=state.key(f"box.{chosen}")):
            _about(card)
        return LossSpec(name=card.name)
    values = drafted.values if drafted else {p.name: p.default for p in card.params}
    given: dict[str, ParamValue] = {}
    with st.expander(f"{_title(chosen)}: {', '.join(p.name for p in card.params)}", key=state.key(f"box.{chosen}")):
        _about(card)
        for param in card.params:
            value = _widget(param, state.key(f"losses.{chosen}.{param.name}"), values[param.name])
            if value != param.default:
                given[param.name] = value
        st.button(
            "Add it once more",
            key=state.key(f"again.{chosen}"),
            help="Race the same loss with other parameters.",
            on_click=_add_again,
            args=(card, tuple(picked)),
        )
    return LossSpec.model_validate({"name": card.name, "params": given})


def _about(card: LossInfo) -> None:
    st.markdown(f"`{card.name}`: {plain(card.summary)}")
    st.latex(card.formula)
    for trap in card.traps:
        st.caption(f":material/warning: {plain(trap)}")


def _widget(param: Param, key: str, value: ParamValue) -> ParamValue:
    if param.kind == "class_weights":
        initial(key, ", ".join(f"{w:g}" for w in value) if isinstance(value, tuple) else str(value))
        return read_weights(st.text_input(param.name, key=key, help=f"{param.help} 'none', 'balanced' or 1, 2.5, 1."))
    initial(key, value)
    if param.kind == "bool":
        return st.toggle(param.name, key=key, help=param.help)
    kind = int if param.kind == "int" else float
    found = number(param.name, Shape(kind, low=param.low, high=param.high), key, param.help)
    return param.default if found is None else found


def read_weights(text: str) -> ParamValue:
    """Read ``none``, ``balanced`` or weights separated by commas.

    Raises:
        SpecError: an item is not a number.
    """
    if text.strip() in ("none", "balanced"):
        return text.strip()
    try:
        return tuple(float(part) for part in re.split(r"[,;\s]+", text.strip()))
    except ValueError:
        raise SpecError(f"class weights: got {text!r}, expected none, balanced, or numbers such as 1, 2.5, 1") from None


def _add_again(card: LossInfo, picked: tuple[str, ...]) -> None:
    """Add another slot of `card`, its first parameter moved so that the two differ."""
    free = (slot(card.name, n) for n in range(2, _MOST_OF_ONE + 1) if slot(card.name, n) not in picked)
    added = next(free, None)
    if added is None:
        return
    st.session_state[state.key("losses")] = [*picked, added]
    param = card.params[0]
    if isinstance(param.default, float) and param.high is not None:
        taken = len([s for s in picked if _name(s) == card.name])
        st.session_state[state.key(f"losses.{added}.{param.name}")] = _moved(
            param.default, param.low, param.high, taken
        )


def _moved(default: float, low: float | None, high: float, times: int) -> float:
    """Return `default` doubled `times` times, or halved where that would leave the range."""
    doubled = (default or 0.5) * 2.0**times
    moved = doubled if doubled <= high else default / 2.0**times
    return max(moved, -math.inf if low is None else low)


def _name(chosen: str) -> str:
    return chosen.partition(" #")[0]


def _title(chosen: str) -> str:
    name, _, count = chosen.partition(" #")
    return f"{loss_cards()[name].title} #{count}" if count else loss_cards()[name].title
