"""JSON, YAML and links give back the spec they were made from, and refuse what is damaged."""

import base64
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossdiag.errors import SpecError
from lossdiag.registry import loss_cards
from lossdiag.spec import ExperimentSpec, from_json, from_query, from_yaml, to_json, to_query, to_yaml

positive = st.floats(1e-12, 1e6)
losses = st.lists(st.sampled_from(sorted(loss_cards())), min_size=1, max_size=4, unique=True)


@st.composite
def specs(draw: st.DrawFn) -> ExperimentSpec:
    return ExperimentSpec.parse(
        {
            "name": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40)),
            "data": {
                "source": draw(st.sampled_from(["sample:iris", "synthetic:moons", "upload:0123456789abcdef"])),
                "target": draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=3)),
                "noise": draw(st.floats(0, 10)),
                "task": draw(st.none() | st.sampled_from(["binary", "regression"])),
            },
            "model": {"width": draw(st.integers(1, 4096)), "gain": draw(st.floats(0, 1e3))},
            "losses": draw(losses),
            "optimizer": {"lr": draw(positive), "eps": draw(positive), "weight_decay": draw(st.floats(0, 1))},
            "clip": {"norm": draw(st.none() | positive)},
            "train": {"steps": draw(st.integers(1, 10_000_000))},
            "seeds": draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=5, unique=True)),
            "grid": draw(
                st.dictionaries(
                    st.sampled_from(["optimizer.lr", "model.gain", "data.label_noise"]),
                    st.lists(st.floats(0, 1), min_size=1, max_size=3, unique_by="{:g}".format).map(tuple),
                    max_size=2,
                )
            ),
        }
    )


@given(specs())
@settings(derandomize=True, deadline=None)
def test_round_trips(spec: ExperimentSpec) -> None:
    assert from_json(to_json(spec)) == spec
    assert from_yaml(to_yaml(spec)) == spec
    assert from_query(to_query(spec)) == spec
    assert from_json(to_json(from_query(to_query(spec)))).members() == spec.members()


def test_loss_parameters_round_trip() -> None:
    plain = {"losses": [{"name": "cross_entropy", "params": {"weight": [1.0, 2.5, 0.0], "label_smoothing": 0.1}}]}
    spec = ExperimentSpec.parse(plain)
    assert spec.losses[0].params["weight"] == (1.0, 2.5, 0.0)
    assert from_yaml(to_yaml(spec)) == from_json(to_json(spec)) == from_query(to_query(spec)) == spec


def test_yaml_reads_what_people_write() -> None:
    spec = from_yaml("losses: [mse, {name: huber, params: {delta: 2}}]\noptimizer: {lr: 1e-3}\nseeds: 2\n")
    assert (spec.optimizer.lr, spec.seeds, spec.losses[1].params) == (0.001, (0, 1), {"delta": 2.0})
    assert from_yaml("") == ExperimentSpec()


def test_default_link_is_short() -> None:
    assert len(to_query(ExperimentSpec())) < 20


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("%%%", "damaged"),
        ("abcd", "damaged"),
        (to_query(ExperimentSpec(name="x" * 100))[:-9], "cut off|damaged"),
        ("A" * 40_000, "40000 characters"),
        (base64.urlsafe_b64encode(zlib.compress(b"[" * 10_000_000)).decode().rstrip("="), "too large"),
        (base64.urlsafe_b64encode(zlib.compress(b"\xff\xfe")).decode(), "damaged"),
        (base64.urlsafe_b64encode(zlib.compress(b"{oops")).decode(), "not JSON: line 1"),
        (base64.urlsafe_b64encode(zlib.compress(b'{"seeds": "many"}')).decode(), "seeds"),
    ],
)
def test_damaged_links_are_refused(token: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        from_query(token)


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(SpecError, match="nested"):
        from_json("[" * 200_000)


def test_damaged_yaml_names_the_line() -> None:
    with pytest.raises(SpecError, match="not YAML: line 2"):
        from_yaml("losses: [mse]\n  data: x: y")
    with pytest.raises(SpecError, match="mapping of fields"):
        from_yaml("just a sentence")
