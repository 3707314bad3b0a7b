import pytest

from gmpo_verl.rewards.normalization import normalize
from gmpo_verl.rewards.quantities import split_unit
from gmpo_verl.rewards.units import units_contradict


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5 cm", "5"),
        (r"5\text{ cm}^2", "5"),
        (r"\$5.00", "5.00"),
        (r"-\$5", "-5"),
        ("60^\\circ", "60"),
        (r"20^\circ\text{C}", "20"),
        ("5 miles per hour", "5"),
        (r"9.8\,\mathrm{m/s^2}", "9.8"),
        (r"25\pi\text{ square units}", r"25\pi"),
        (r"2x \text{ cm}", "2x"),
        (r"12^{\text{th}}", "12"),
        (r"3 \pmod{7}", "3"),
        ("8 inches", "8"),
        (r"\text{the area: } 5", "5"),
    ],
)
def test_the_value_of_a_quantity_is_found(text: str, value: str) -> None:
    assert split_unit(normalize(text))[0] == value


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "5m",
        "5x",
        "right triangle",
        "5 and",
        "0.5 m v^2",
        r"5\text{ or more}",
        r"\text{not }5",
        r"\tan 15^\circ",
        "x_m",
        "5 x",
    ],
)
def test_what_has_no_unit_stays_whole(text: str) -> None:
    assert split_unit(normalize(text)) == (normalize(text), "")


@pytest.mark.parametrize(
    ("a", "b", "contradict"),
    [
        ("5 cm", r"5\text{ centimeters}", False),
        ("5 cm", "5 m", True),
        ("5 cm", r"5\text{ cm}^2", True),
        (r"5\text{ sq cm}", r"5\text{ cm}^2", False),
        ("5 mph", "5 miles per hour", False),
        ("5 m/s", r"5 \frac{\text{m}}{\text{s}}", False),
        ("5 apples", "5 cm", False),  # an unknown word may mean the same
        ("5 cm", "5", False),
        (r"\$5", "5 cents", True),
    ],
)
def test_two_known_units_agree_or_contradict(a: str, b: str, contradict: bool) -> None:
    units = [split_unit(normalize(text))[1] for text in (a, b)]
    assert units_contradict(*units) is contradict and units_contradict(*reversed(units)) is contradict
