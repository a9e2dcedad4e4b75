import pytest
from streamlit.testing.v1 import AppTest

from lossdiag.spec import (
    ClipSpec,
    DataSpec,
    ExperimentSpec,
    ModelSpec,
    OptimizerSpec,
    RegulariseSpec,
    ScheduleSpec,
    StopSpec,
    TrainSpec,
)
from ui.controls import Shape, shape


def test_a_shape_holds_type_choices_bounds_and_emptiness() -> None:
    assert shape(ModelSpec.model_fields["width"]) == Shape(int, (), 1, 4096)
    assert shape(ModelSpec.model_fields["norm"]) == Shape(str, ("none", "batch", "layer"))
    assert shape(ClipSpec.model_fields["norm"]) == Shape(float, (), 0, None, optional=True)
    assert shape(TrainSpec.model_fields["eval_every"]) == Shape(int, (), 1, None, optional=True)
    assert shape(DataSpec.model_fields["task"]).optional
    assert shape(DataSpec.model_fields["outliers"]) == Shape(float, (), 0, 1)
    assert shape(DataSpec.model_fields["seed"]).high == 2**31 - 1


@pytest.mark.parametrize(
    "part", [ModelSpec, OptimizerSpec, ScheduleSpec, ClipSpec, RegulariseSpec, TrainSpec, StopSpec]
)
def test_every_field_of_the_parts_has_a_widget(part: type) -> None:
    for field in part.model_fields.values():  # type: ignore[attr-defined]
        shape(field)


def test_a_field_without_widget_is_refused() -> None:
    with pytest.raises(TypeError, match="no widget"):
        shape(ExperimentSpec.model_fields["grid"])


OPTIMIZER = """
import streamlit as st
from lossdiag.spec import OptimizerSpec
from ui.controls import controls
st.json(controls(OptimizerSpec(), "optimizer"))
"""


def test_widgets_give_values_by_path_and_hide_what_another_optimizer_needs() -> None:
    at = AppTest.from_string(OPTIMIZER).run()
    assert not at.exception
    labels = [w.label for w in at.number_input]
    assert "beta1" in labels
    assert "momentum" not in labels
    at.selectbox[0].set_value("sgd").run()
    labels = [w.label for w in at.number_input]
    assert "momentum" in labels
    assert "beta1" not in labels


def test_help_is_the_description() -> None:
    at = AppTest.from_string(OPTIMIZER).run()
    widget = next(w for w in at.number_input if w.label == "lr")
    assert widget.help == OptimizerSpec.model_fields["lr"].description
    assert widget.value == 0.01
