"""How a run stands, in words: status, progress, time left, what went wrong and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import streamlit as st

from lossdiag.figures import KIND_TITLES
from lossdiag.store import END_STATUSES, Curve, Recording, Status
from ui.text import counted, duration, plain
from ui.words import KINDS_HELP, MEMBER, happened, sentence

_Color: TypeAlias = Literal["blue", "green", "orange", "red", "gray"]
_LOOKS: dict[Status, tuple[str, _Color]] = {
    "queued": (":material/hourglass_empty:", "gray"),
    "running": (":material/directions_run:", "blue"),
    "finished": (":material/check:", "green"),
    "stopped": (":material/flag:", "green"),
    "cancelled": (":material/stop_circle:", "orange"),
    "interrupted": (":material/power_off:", "orange"),
    "failed": (":material/error:", "red"),
}
_ADVICE: dict[Status, str] = {
    "failed": "Nothing more will be recorded. Change what the message names and run it again.",
    "interrupted": "What was recorded until then is kept. Run it again to have it whole.",
    "cancelled": "What was recorded until then is kept.",
}
_NO_CURVE: Curve = (np.empty(0, np.int32), np.empty(0))
_START = 32  # steps; as the recorder counts the start of a run
_GONE = "The process that trained it is gone: it crashed, was killed, or the server ended."


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: share of all steps of all members, steps of the slowest stack, seconds left if known."""

    share: float
    step: int
    steps: int
    seconds_left: float | None


def progress(run: Recording, now: datetime) -> Progress:
    """Return how far `run` is; members that have stopped count as done."""
    total = run.spec.train.steps
    done = {m: int(steps[-1]) + 1 for m, (steps, _) in run.curves("loss").items() if len(steps)}
    events = run.events
    stopped = set(events.loc[events["kind"].isin(("nonfinite", "stop")), "member"])
    count = max(1, len(run.members))
    share = sum(total if m in stopped else n for m, n in done.items()) / (count * total)
    elapsed = (pd.Timestamp(now) - run.started).total_seconds() if run.started is not None else 0.0
    left = elapsed * (1 - share) / share if share > 0 and elapsed > 0 else None
    return Progress(min(1.0, share), max(done.values(), default=0), total, left)


def show_standing(run: Recording) -> None:
    """Draw the run's name, status, progress, and what to do where it did not end well."""
    status = run.status
    icon, color = _LOOKS[status]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(run.name)}**", width="content")
        st.badge(status, icon=icon, color=color)
        st.caption(plain(_length(run)), width="content", help=MEMBER)
    if status == "queued":
        st.info("It waits for a free worker and starts by itself.", icon=icon)
    elif status not in END_STATUSES:
        at = progress(run, datetime.now(UTC))
        left = f", about {duration(at.seconds_left)} left" if at.seconds_left is not None else ""
        st.progress(at.share, text=f"step {at.step:,} of {at.steps:,}{left}")
    elif status in _ADVICE:
        show = st.error if status == "failed" else st.warning
        show(" ".join(filter(None, (f"This run {_ended_as(status)}.", plain(_why(run)), _ADVICE[status]))), icon=icon)
    elif status == "stopped":
        st.caption(f"This run ended early: {plain(run.detail)}.")


def show_alarms(run: Recording, *, most: int = 3) -> None:
    """Say in words which members broke or blew up, at which step and how, as their events tell it; the first only."""
    broken = _first_of(run, "nonfinite")
    blown = _first_of(run, "explosion")
    blown = blown[~blown["member"].isin(broken["member"])]
    if not broken.empty:
        ended = "broke, which ended their training; each is kept as it last was well"
        st.error(_alarm(run, broken, ended, most), icon=":material/error:")
    if not blown.empty:
        st.warning(_alarm(run, blown, "blew up, but went on", most), icon=":material/warning:")


def _first_of(run: Recording, kind: str) -> pd.DataFrame:
    """Return each member's first event of `kind`, in order of steps."""
    own = run.events[run.events["kind"] == kind].sort_values("step", kind="stable")
    return own.drop_duplicates("member")


def _alarm(run: Recording, events: pd.DataFrame, what: str, most: int) -> str:
    labels = dict(zip(run.members["id"], run.members["label"], strict=True))
    lines = [
        f"- **{plain(labels.get(row['member'], 'the run'))}** at step {row['step']:,}: "
        + plain(happened(row, _before(run, row)))
        + _prelude(run, row["member"], row["step"])
        for row in events.head(most).to_dict("records")
    ]
    if len(events) > most:
        lines.append(f"- and {counted(len(events) - most, 'other')}: see the events below")
    return f"{len(events)} of {counted(len(run.members), 'member')} {what}:\n" + "\n".join(lines)


def _prelude(run: Recording, member: int, step: int) -> str:
    """Say how it began: what the member's first explosion before `step` was, if there was one."""
    events = run.events
    before = events[(events["member"] == member) & (events["kind"] == "explosion") & (events["step"] < step)]
    if before.empty:
        return ""
    first = before.sort_values("step", kind="stable").iloc[0].to_dict()
    return f"; it began at step {first['step']:,}, where {plain(happened(first, _before(run, first)))}"


def _before(run: Recording, event: Mapping[Any, Any]) -> float:
    """Return the member's loss at its start, or its usual gradient norm before the event; NaN where there is none.

    Each is a median: the first batch alone may be an unusual one.
    """
    loss = event["where"] == "loss"
    steps, values = run.curves("loss" if loss else "grad_norm", [event["member"]]).get(event["member"], _NO_CURVE)
    earlier = values[(steps < event["step"]) & np.isfinite(values)]
    if not len(earlier):
        return math.nan
    return abs(float(np.median(earlier[:_START] if loss else earlier)))


def event_table(run: Recording) -> pd.DataFrame:
    """Return the events as a person reads them, in order of steps."""
    labels = dict(zip(run.members["id"], run.members["label"], strict=True))
    events = run.events.sort_values("step", kind="stable")
    who = [labels.get(m, "the whole run") for m in events["member"]]
    what = events["kind"].map(lambda kind: KIND_TITLES.get(kind, kind))
    return events.assign(who=who, what=what)[["step", "who", "what", "where", "layer", "detail"]]


def show_events(run: Recording) -> None:
    """List the events; the list is made only while it is open."""
    if run.events.empty:
        if run.curves("loss"):
            st.caption("No events: nothing unusual was recorded.")
        return
    box = st.expander(counted(len(run.events), "event"), icon=":material/list:", key="events", on_change="rerun")
    if box.open:
        with box:
            look = {
                "what": st.column_config.TextColumn(help=KINDS_HELP),
                "detail": st.column_config.TextColumn(width="large"),
            }
            st.dataframe(event_table(run), hide_index=True, column_config=look)


def say_no_steps(run: Recording) -> None:
    """Say that there is nothing to draw."""
    st.caption("No step was recorded." if run.status in END_STATUSES else "No step has been recorded yet.")


def _length(run: Recording) -> str:
    members = counted(len(run.members), "member")
    if run.started is None or run.ended is None:
        return members
    return f"{members}, {duration((run.ended - run.started).total_seconds())}"


def _why(run: Recording) -> str:
    """Return the run's own word on its end as a sentence; empty where it only repeats the status."""
    if run.status == "interrupted" and not run.detail:
        return _GONE
    detail = run.detail.partition("; what was recorded is kept")[0]
    return "" if detail.startswith(run.status) else sentence(detail)


def _ended_as(status: Status) -> str:
    return f"was {status}" if status in ("cancelled", "interrupted") else status
