"""Losses as pure functions, each registered beside its card.

    fn(pred, target, *, **params) -> [..., B]

``pred`` is the network's output [..., B, D]; ``target`` has the same shape, except for one class among many, where it
is [..., B] of int64. Any leading axes; one value per row; the caller averages over B. `get` finds a function, `bind`
fills in parameters as a spec gives them, `predict` turns outputs into predictions.
"""

# The order of these imports is the order of the catalog.
from lossdiag.losses import regression, count, binary, multiclass, focal  # noqa: F401, I001
from lossdiag.losses.registration import LossFn, bind, cards, class_weights, get, loss, predict

__all__ = ["LossFn", "bind", "cards", "class_weights", "get", "loss", "predict"]
