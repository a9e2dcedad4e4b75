"""The catalog is complete, true to the signatures, and not stale."""

from __future__ import annotations

import inspect

import pytest
import torch
from scipy import special

from lossdiag import losses
from lossdiag.errors import SpecError, TrainError
from lossdiag.losses.catalog import CATALOG, catalog_text
from lossdiag.registry import LossInfo, loss_cards

CARDS = losses.cards()
every_loss = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)


def test_catalog_file_is_not_stale() -> None:
    assert CATALOG.read_text(encoding="utf-8") == catalog_text(), "run: python -m lossdiag.losses.catalog"
    assert tuple(loss_cards().values()) == CARDS


@every_loss
def test_card_is_complete(card: LossInfo) -> None:
    for field in ("title", "family", "tasks", "formula", "summary", "reference", "reduction", "traps", "oracle"):
        assert getattr(card, field), field
    assert losses.get(card.name).__module__ == f"lossdiag.losses.{card.family}"
    assert card.probabilistic == (card.link in ("sigmoid", "softmax") and card.expects == "logits")
    assert card.formula.count("{") == card.formula.count("}")


@every_loss
def test_params_are_those_of_the_signature(card: LossInfo) -> None:
    _, _, *rest = inspect.signature(losses.get(card.name)).parameters.values()
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in rest)
    defaults = {p.name: None if p.kind == "class_weights" else p.default for p in card.params}
    assert {p.name: p.default for p in rest} == defaults
    for param in card.params:
        assert param.help
        if param.kind == "class_weights":
            assert param.default == "none"
        else:
            assert param.low <= param.default <= param.high


def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match="'hubber'.*'huber'"):
        losses.get("hubber")
    with pytest.raises(SpecError, match="'hing'.*'hinge'"):
        losses.predict("hing", torch.zeros(1))
    with pytest.raises(SpecError, match="'gama'.*'gamma'"):
        losses.bind("focal", {"gama": 1.0})


def test_a_name_is_registered_once() -> None:
    def mse(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return pred

    card = loss_cards()["mse"]
    fields = ("title", "family", "tasks", "expects", "link", "formula", "reference", "oracle", "traps")
    with pytest.raises(ValueError, match="'mse' is registered twice"):
        losses.loss(**{field: getattr(card, field) for field in fields})(mse)


def test_predict_applies_the_link() -> None:
    z = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    wanted = {"identity": z.numpy(), "exp": z.exp().numpy()}
    wanted |= {"sigmoid": special.expit(z.numpy()), "softmax": special.softmax(z.numpy(), axis=-1)}
    for card in CARDS:
        torch.testing.assert_close(losses.predict(card.name, z), torch.from_numpy(wanted[card.link]))


def test_bind_fills_in_what_a_spec_gives() -> None:
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    t = torch.tensor([0, 0, 1, 2, 0])
    plain = losses.bind("cross_entropy", {"weight": "none", "label_smoothing": 0.1})
    torch.testing.assert_close(plain(z, t), losses.get("cross_entropy")(z, t, label_smoothing=0.1))
    balanced = losses.bind("cross_entropy", {"weight": "balanced"}, class_counts=[6, 2, 0])
    own = losses.bind("cross_entropy", {"weight": (8 / 18, 8 / 6, 8 / 3)}, class_counts=[6, 2, 0])
    torch.testing.assert_close(balanced(z, t), own(z, t))
    assert not torch.allclose(balanced(z, t), plain(z, t))


def test_class_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TrainError, match="got 2 class weights.*each of 3"):
        losses.bind("cross_entropy", {"weight": (1.0, 2.0)}, class_counts=[1, 1, 1])
    with pytest.raises(TrainError, match="need a target with classes"):
        losses.bind("focal", {"weight": "balanced"})
    with pytest.raises(TrainError, match="need a target with classes"):
        losses.class_weights("balanced", [])
