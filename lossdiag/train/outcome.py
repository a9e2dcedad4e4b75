"""How a run ended, as a whole and for each member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

RunEnd = Literal["finished", "stopped", "cancelled"]
MemberEnd = Literal["finished", "nonfinite", "patience", "stopped", "cancelled"]


@dataclass(frozen=True, slots=True)
class MemberOutcome:
    """How one member ended.

    Attributes:
        member: its id.
        step: updates that its final parameters have had.
        reason: ``finished``; ``nonfinite``: its loss was not a finite number; ``patience``: no better validation loss
            for long enough; ``stopped``, ``cancelled``: with the whole run.
        detail: a sentence, empty for ``finished``.
        state: its final parameters by name, as `nn.build_module(...).load_state_dict` takes them. Of a member that
            failed, these are the last with which parameters, loss and gradients were all finite.
    """

    member: int
    step: int
    reason: MemberEnd
    detail: str
    state: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: ``finished``: every member took all steps or failed on its own; ``stopped``: a rule of the spec ended it
            early; ``cancelled``: it was asked to end.
        detail: a sentence, empty for a plain finish.
        members: in the order of their ids.
        device: where it trained.
        threads: CPU threads that torch used.
        stacks: members per stack.
        seconds: wall time from the first step to the last.
    """

    status: RunEnd
    detail: str
    members: tuple[MemberOutcome, ...]
    device: str
    threads: int
    stacks: tuple[int, ...]
    seconds: float
