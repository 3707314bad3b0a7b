from io import BytesIO

import pytest
from PIL import Image

from gmpo_verl.data.images import stored_image
from gmpo_verl.data.sets import SETS
from gmpo_verl.data.sets.data_set import UnusableRowError


@pytest.fixture
def png():
    stream = BytesIO()
    Image.new("RGB", (8, 6), "white").save(stream, "PNG")
    return stream.getvalue()


def test_bytes_a_struct_and_a_path_give_the_same_picture(tmp_path, png):
    (tmp_path / "figure.png").write_bytes(png)
    named = {"bytes": png, "path": "figure.png"}
    assert stored_image(png, None) == {"bytes": png, "path": None}
    assert stored_image({"bytes": png, "path": "/somewhere/figure.png"}, None) == named
    assert stored_image("figure.png", tmp_path) == named
    assert stored_image({"bytes": None, "path": "figure.png"}, tmp_path) == named
    assert stored_image(str(tmp_path / "figure.png"), None) == named


@pytest.mark.parametrize("image", [None, 7, {"bytes": None, "path": None}, b"no picture", "missing.png", {}])
def test_what_is_no_picture_is_said_to_be_none(tmp_path, image):
    with pytest.raises(UnusableRowError):
        stored_image(image, tmp_path)


def test_a_picture_that_is_cut_off_is_no_picture(png):
    with pytest.raises(UnusableRowError, match="damaged"):
        stored_image(png[: len(png) // 2], None)


@pytest.mark.parametrize(
    ("problem", "expected"),
    [("<image>Find $x$.", "<image>Find $x$."), ("Find $x$.", "<image>Find $x$."), ("Find<image> it", "Find<image> it")],
)
def test_a_problem_has_one_place_for_each_image(problem, expected):
    read = SETS["geometry3k"].read
    assert read({"images": [b"1"], "problem": problem, "answer": "3"}).text == expected


@pytest.mark.parametrize(("images", "problem"), [([], "Find"), (None, "Find"), ([b"1"], "<image> and <image>")])
def test_a_row_whose_images_and_places_differ_is_refused(images, problem):
    with pytest.raises(UnusableRowError):
        SETS["geometry3k"].read({"images": images, "problem": problem, "answer": "3"})
