"""Which members of a run can share one tensor program, and in which order they lie in it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from lossdiag.registry import LossInfo
from lossdiag.spec import ExperimentSpec, LossSpec, Member


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Neighbours in a stack that minimise the same loss with the same parameters: rows start to stop."""

    loss: LossSpec
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class StackPlan:
    """The members of one stack, those of one loss side by side, and losses that are measured alike.

    Attributes:
        members: in the order of the stack's rows.
        specs: each member's own spec (one loss, one seed, no grid); what all share can be read from the first.
        groups: the rows of each loss.
    """

    members: tuple[Member, ...]
    specs: tuple[ExperimentSpec, ...]
    groups: tuple[LossGroup, ...]

    def groups_within(self, start: int, stop: int) -> tuple[LossGroup, ...]:
        """Return the groups of the stack's rows from start to stop, cut to them."""
        cut = (LossGroup(g.loss, max(g.start, start), min(g.stop, stop)) for g in self.groups)
        return tuple(g for g in cut if g.start < g.stop)

    @property
    def shared(self) -> ExperimentSpec:
        """A spec to read what all members have in common from."""
        return self.specs[0]


def plan(spec: ExperimentSpec) -> tuple[StackPlan, ...]:
    """Split the members of `spec` into as few stacks as can be, in order of first appearance.

    Members share a stack when they run the same operations on tensors of the same shape. Learning rate, momenta, weight
    decay, penalties, clip values, initialisation, dropout probability, schedule, loss and its parameters may differ.
    """
    found: dict[Hashable, list[tuple[Member, ExperimentSpec]]] = {}
    patched: dict[Hashable, ExperimentSpec] = {}
    for member in spec.members():
        # Siblings of other seeds have the same spec but for the seed; validating it once is enough.
        config = (_loss_key(member.loss), repr(member.grid))
        if config not in patched:
            patched[config] = spec.member_spec(member)
        own = patched[config].model_copy(update={"seeds": (member.seed,)})
        found.setdefault(_program(own), []).append((member, own))
    return tuple(_stack(pairs) for pairs in found.values())


def measured_alike(card: LossInfo) -> str:
    """Return what of a loss must be equal for members to be measured in one call."""
    return card.link


def _program(spec: ExperimentSpec) -> Hashable:
    """Return what must be equal for two members to share a program."""
    model, train = spec.model, spec.train
    return (
        spec.data,
        (model.width, model.depth, model.activation, model.norm, model.skip, model.dropout > 0),
        (spec.optimizer.name, spec.schedule.name == "plateau"),
        (spec.clip.norm is None, spec.clip.value is None),
        spec.regularise.l1 > 0 or spec.regularise.l2 > 0,
        (train.batch_size, train.accumulate, train.precision),
    )


def _stack(pairs: list[tuple[Member, ExperimentSpec]]) -> StackPlan:
    by_loss: dict[Hashable, list[tuple[Member, ExperimentSpec]]] = {}
    for member, own in pairs:
        by_loss.setdefault(_loss_key(member.loss), []).append((member, own))
    # Sorting is stable: within what is measured alike the spec's order stays.
    kinds = list(dict.fromkeys(measured_alike(rows[0][0].loss.info) for rows in by_loss.values()))
    by_kind = sorted(by_loss.values(), key=lambda rows: kinds.index(measured_alike(rows[0][0].loss.info)))
    groups: list[LossGroup] = []
    at = 0
    for rows in by_kind:
        groups.append(LossGroup(rows[0][0].loss, at, at + len(rows)))
        at += len(rows)
    ordered = [pair for rows in by_kind for pair in rows]
    return StackPlan(tuple(m for m, _ in ordered), tuple(s for _, s in ordered), tuple(groups))


def _loss_key(loss: LossSpec) -> Hashable:
    return loss.name, tuple(sorted(loss.values.items()))
