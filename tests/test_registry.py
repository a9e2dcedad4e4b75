"""Cards survive their file, and names that are nearly right find their neighbour."""

import json
from dataclasses import asdict

from lossdiag.registry import LossInfo, Param, did_you_mean, loss_cards


def test_a_card_survives_json() -> None:
    for card in loss_cards().values():
        assert LossInfo.from_dict(json.loads(json.dumps(card.to_dict()))) == card


def test_tuple_defaults_come_back_as_tuples() -> None:
    card = next(iter(loss_cards().values()))
    weights = Param("weight", (1.0, 2.0), None, None, "one per class", "class_weights")
    plain = json.loads(json.dumps(card.to_dict() | {"params": [asdict(weights)]}))
    assert LossInfo.from_dict(plain).params == (weights,)


def test_did_you_mean() -> None:
    assert did_you_mean("hubber", ["huber", "mse"]) == " Did you mean 'huber'?"
    assert did_you_mean("Huber", ["huber"]) == " Did you mean 'huber'?"
    assert did_you_mean("zzz", ["huber", "mse"]) == ""
    assert did_you_mean(3, ["huber"]) == ""
