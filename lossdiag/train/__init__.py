"""Training: stacks of members in lock-step, every step recorded."""

from lossdiag.train.batches import batch_order
from lossdiag.train.engine import train
from lossdiag.train.outcome import MemberOutcome, Outcome
from lossdiag.train.plan import LossGroup, StackPlan, plan
from lossdiag.train.recorder import Sink

__all__ = ["LossGroup", "MemberOutcome", "Outcome", "Sink", "StackPlan", "batch_order", "plan", "train"]
