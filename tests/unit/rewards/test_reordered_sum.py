"""Sums of the same terms are equal in any order, and only those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmpo_verl.rewards.equivalence import cheap_verdict
from gmpo_verl.rewards.reordered_sum import is_reordered

TERMS = (r"x^2", r"3x", r"7", r"\frac{a+b}{2}", r"\sqrt{2-x}", r"2^{n+1}", r"y(x-1)", r"\pi")


@given(
    terms=st.lists(st.tuples(st.sampled_from("+-"), st.sampled_from(TERMS)), min_size=2, max_size=6), order=st.randoms()
)
def test_another_order_is_the_same_sum(terms, order):
    shuffled = list(terms)
    order.shuffle(shuffled)
    texts = [" ".join(f"{sign} {term}" for sign, term in some).removeprefix("+ ") for some in (terms, shuffled)]
    assert is_reordered(*texts)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("a+b", "a-b"),
        ("a-b", "b-a"),
        ("a+b", "a+b+b"),
        ("x^-1+2", "2+x^-1"),
        ("a*-b+c", "c+a*-b"),
        (r"1\pm 2+3", r"3+1\pm 2"),
        ("(a+b", "b+(a"),
        ("a=b+c", "c+a=b"),
        ("a", "a"),
    ],
)
def test_other_terms_or_no_plain_sum_are_left_open(a, b):
    assert not is_reordered(a, b)


def test_text_alone_decides_a_reordered_sum():
    assert cheap_verdict(r"3x + x^2 - \frac{1}{2}", (r"x^2 - \frac{1}{2} + 3x",)) is True
