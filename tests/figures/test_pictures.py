import numpy as np
import pyarrow as pa
import pytest

from lossdiag.errors import StoreError
from lossdiag.figures import Points, boundary_over_time, confusions, fits, note, pictured, predictions

SPEC = {"losses": ["mse", "mae"], "seeds": 2, "data": {"source": "synthetic:sine"}}
AXES = {"axes": ["a", "b"], "across": [0.0, 1.0, 2.0], "up": [5.0, 6.0], "output": "value"}
FACTS = {
    "boundary": AXES,
    "curve": {"axis": "a", "x": [0.0, 1.0, 2.0]},
    "prediction": {"true": [[1.0, 10.0], [2.0, 20.0]]},
}


def add(writer, kind: str, member: int, step: int, values: np.ndarray) -> None:
    row = [[step], [member], [kind], [list(values.shape)], [values.ravel().tolist()]]
    arrays = [pa.array(v, f.type) for v, f in zip(row, writer.schema("frames"), strict=True)]
    writer.append("frames", pa.record_batch(arrays, schema=writer.schema("frames")))


def painted(writer, fill) -> None:
    writer.describe(frames=FACTS, data={"classes": ["no", "yes"], "targets": ["t", "u"]})
    for member in range(4):
        for step in (20, 0, 10):
            add(writer, "boundary", member, step, np.full((2, 3), step + member, np.float32))
            add(writer, "curve", member, step, np.full((3, 2), step + member, np.float32))
            add(writer, "prediction", member, step, np.full((2, 2), step + member, np.float32))
            add(writer, "confusion", member, step, np.array([[step, 1], [2, member]], np.float32))


@pytest.fixture
def recording(record):
    return record({}, painted, **SPEC)


def test_the_boundary_of_members_over_time(recording, sent) -> None:
    points = Points(np.array([0.5]), np.array([5.5]), np.array([1.0]))
    figure = boundary_over_time(recording, [0, 3], points=points)
    out = sent(figure).plain
    assert [f["name"] for f in out["frames"]] == ["0", "10", "20"]
    assert [a["text"] for a in out["layout"]["annotations"]] == ["mse seed 0", "mae seed 1"]
    assert figure.layout.xaxis.title.text == "a"
    assert figure.layout.yaxis.title.text == "b"
    assert note(boundary_over_time(recording, []))


def test_fits_at_a_step_have_their_seeds(recording, sent) -> None:
    out = sent(fits(recording, data=(np.array([0.0]), np.array([1.0])), step=15))
    np.testing.assert_allclose(out.array("mse", "y"), np.full(3, 10.5))
    np.testing.assert_allclose(out.array("mae", "y"), np.full(3, 12.5))
    assert out.plain["layout"]["yaxis"]["title"]["text"] == "t"


def test_predictions_are_of_one_seed_in_target_units(recording, sent) -> None:
    figure = predictions(recording, target=1)
    out = sent(figure)
    np.testing.assert_array_equal(out.array("mae", "x"), [10, 20])
    np.testing.assert_array_equal(out.array("mae", "y"), [22, 22])
    assert "One seed" in note(figure)
    assert figure.layout.xaxis.title.text == "true (u)"


def test_confusions_add_up_over_seeds(recording, sent) -> None:
    figure = confusions(recording)
    assert [t["text"] for t in sent(figure).traces] == [[["40", "2"], ["4", "1"]], [["40", "2"], ["4", "5"]]]
    assert "added over up to 2 seeds" in note(figure)


def test_a_stack_may_have_axes_of_its_own(record) -> None:
    def own(writer, fill) -> None:
        painted(writer, fill)
        stacks = [{"members": [0, 1, 2]}, {"members": [3], "frames": {"boundary": AXES | {"axes": ["c", "d"]}}}]
        writer.describe(stacks=stacks)

    assert boundary_over_time(record({}, own, **SPEC), [3]).layout.xaxis.title.text == "c"


def test_pictures_without_axes_are_refused(record) -> None:
    bare = record({}, lambda writer, fill: add(writer, "curve", 0, 0, np.zeros((3, 1), np.float32)), **SPEC)
    with pytest.raises(StoreError, match="pictures of 'curve' but does not say"):
        fits(bare)


def test_what_was_not_pictured_is_said(record) -> None:
    empty = record({}, **SPEC)
    assert pictured(empty, "boundary") == []
    for figure in (boundary_over_time(empty, [0]), fits(empty), predictions(empty), confusions(empty)):
        assert note(figure).startswith("No ")
