import time
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gmpo_verl.rewards.answer import MAX_ANSWER_CHARS, Template, extract_answer, read_response, template_of


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so it is \boxed{42}.", "42"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"first \boxed{1}, but no: the answer is \boxed{2}", "2"),
        (r"\boxed{\left\{1, 2\right\}}", r"\left\{1, 2\right\}"),
        (r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\boxed {7}", "7"),
        (r"\fbox{7}", "7"),
        (r"\boxed 7$", "7"),
        (r"\boxed{\boxed{5}}", r"\boxed{5}"),
        ("a stray } before \\boxed{3} and a { behind", "3"),
    ],
)
def test_the_last_balanced_box_is_the_answer(response: str, answer: str) -> None:
    assert extract_answer(response) == answer


@pytest.mark.parametrize("response", ["", "42", r"the answer is \boxed{42", r"\boxed", "boxed{42}", r"\boxed{" * 1000])
def test_without_a_balanced_box_there_is_no_answer(response: str) -> None:
    assert extract_answer(response) is None
    assert not read_response(response).format_ok


def test_an_unclosed_box_does_not_hide_a_closed_one() -> None:
    assert extract_answer(r"\boxed{4 and then \boxed{5}") == "5"
    assert extract_answer(r"\boxed{4} and then \boxed{5") == "4"


def test_an_empty_box_is_an_answer_in_the_wrong_format() -> None:
    assert extract_answer(r"\boxed{ }") == ""
    assert not read_response(r"\boxed{ }").format_ok


@pytest.mark.parametrize(
    "response",
    [
        r"$x=\boxed{1}$ and $\boxed{2}$",
        r"\boxed{1}, \boxed{2}",
        r"\boxed{1} or \boxed{2}",
        r"\boxed{1}\text{ and }\boxed{2}",
        r"\[\boxed{1} \quad \text{and} \quad \boxed{2}.\]",
        r"$x = \boxed{1}$ or $x = \boxed{2}$",
        r"\boxed{1}\boxed{2}",
        r"\boxed{1}, \boxed{2}, \text{ and } \boxed{2}",
    ],
)
def test_boxes_that_belong_together_are_one_answer(response: str) -> None:
    assert extract_answer(response) == "1, 2"


def test_a_box_that_is_repeated_counts_once() -> None:
    assert extract_answer("$\\boxed{5}$\n\n$\\boxed{5}$") == "5"


def test_boxes_with_words_between_them_are_separate_answers() -> None:
    assert extract_answer(r"\boxed{1} is wrong, so \boxed{2}") == "2"


def test_nothing_counts_after_a_stop_marker() -> None:
    assert extract_answer(r"\boxed{1}<|im_end|> next question: \boxed{2}") == "1"
    assert extract_answer(r"<|endoftext|>\boxed{2}") is None


def test_an_answer_beyond_the_cap_counts_as_none() -> None:
    assert extract_answer(rf"\boxed{{{'1' * MAX_ANSWER_CHARS}}}") == "1" * MAX_ANSWER_CHARS
    assert extract_answer(rf"\boxed{{{'1' * (MAX_ANSWER_CHARS + 1)}}}") is None


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("6 times 7 is 42. </think> <answer> 42 </answer>", "42"),
        (r"</think> <answer>So it is \boxed{42}.</answer>", "42"),
        ("</think> <answer>41</answer> User: next <answer>42</answer>", "41"),
        ("</think> <answer>40 <answer>41</answer>", "41"),
        (r"</think> <answer>\boxed{42</answer>", None),
        ("</think> <answer>42", None),
        ("</think> <answer>42<|im_end|></answer>", None),
        ("<answer>42</answer>", None),
        ("</think><answer>42</answer>", None),
        ("</think>\n<answer>42</answer>", None),
        ("</answer> </think> <answer>42</answer>", None),
        (r"</think> \boxed{42}", None),
        (f"</think> <answer>{'1' * (MAX_ANSWER_CHARS + 1)}</answer>", None),
    ],
)
def test_the_answer_of_r1_stands_between_its_tags_and_may_be_boxed(response: str, answer: str | None) -> None:
    assert extract_answer(response, "r1") == answer


def test_the_format_of_r1_is_its_tags_with_something_between_them() -> None:
    assert read_response("</think> <answer>42</answer>", "r1").format_ok
    assert read_response(r"</think> <answer>\boxed{42</answer>", "r1").format_ok
    assert not read_response("</think> <answer> </answer>", "r1").format_ok
    assert not read_response(r"\boxed{42}", "r1").format_ok


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"The answer is 41, no: \boxed{42}", "42"),
        ("6 times 7 is 42.\nThe answer is 42.", "42"),
        ("The final answer is: $\\frac{1}{2}$. I hope it is correct.", "\\frac{1}{2}"),
        ("**Answer:** 42", "42"),
        ("Answer: 3.5", "3.5"),
        ("so 6 * 7\n#### 42", "42"),
        ("The answer is 42 because 6 times 7 is 42.", "42 because 6 times 7 is 42"),
        ("We get $x = 1$, and hence $y = 42$.", "y = 42"),
        ("We get\n42", "42"),
        ("6 times 7 makes altogether 42.", "42"),
        ("Altogether she pays $1,234.50 for it all.", "$1,234.50"),
        (r"The answer is \boxed{42", None),
        ("I do not know what to say here", None),
        ("", None),
        (r"The answer is $\{1, 2\}$", r"\{1, 2\}"),
    ],
)
def test_without_a_template_the_box_counts_or_else_the_bare_final_answer(response: str, answer: str | None) -> None:
    assert extract_answer(response, "none") == answer
    assert read_response(response, "none").format_ok is (answer is not None)


def test_a_bare_answer_counts_only_where_the_template_asks_for_no_box() -> None:
    assert extract_answer("The answer is 42.", "none") == "42"
    assert extract_answer("The answer is 42.") is None


def test_a_template_has_one_of_the_known_names() -> None:
    assert template_of(None) == "qwen_math"
    assert template_of("r1") == "r1"
    with pytest.raises(ValueError, match="qwen_math, r1, none"):
        template_of("chatml")


anything = st.lists(
    st.one_of(
        st.sampled_from(
            [
                r"\boxed{",
                r"\fbox {",
                "{",
                "}",
                r"\{",
                "</think> <answer>",
                "</answer>",
                "<answer>",
                "</s>",
                "$",
                " and ",
            ]
        ),
        st.sampled_from(["answer is ", "####", "\n", r"\(", r"\)", "42", ", ", "\\", "\ud800", "\x00"]),
        st.text(max_size=5),
    ),
    max_size=30,
).map("".join)


@given(anything, st.sampled_from(get_args(Template)))
@example("{\n\xa00", "none")
@settings(max_examples=1000)
def test_whatever_the_text_an_answer_is_stripped_and_short_or_none(response: str, template: Template) -> None:
    answer = extract_answer(response, template)
    assert answer is None or (answer == answer.strip() and len(answer) <= MAX_ANSWER_CHARS)
    assert read_response(response, template).format_ok in (True, False)


@given(
    st.text(alphabet="0123456789x+-\\frac{}, ", max_size=30).filter(
        lambda text: text.count("{") == text.count("}") == 0
    )
)
def test_what_is_boxed_is_found(content: str) -> None:
    if not content.endswith("\\"):
        assert extract_answer(f"so it is $\\boxed{{{content}}}$.") == content.strip()


@pytest.mark.parametrize("template", get_args(Template))
@pytest.mark.parametrize(
    "unit",
    [
        "{",
        "}",
        r"\boxed{",
        r"\boxed{}",
        r"\boxed{1}, ",
        r"\boxed{1}  ",
        "\\",
        "x",
        r"\{",
        "\x00",
        "\ud800",
        "<",
        "answer is ",
        "$1$",
        "####",
    ],
)
def test_a_megabyte_of_anything_takes_well_under_a_second(unit: str, template: Template) -> None:
    for opening, closing in (("", ""), ("</think> <answer>", "</answer>")):
        start = time.process_time()
        extract_answer(opening + unit * (1_000_000 // len(unit)) + closing, template)
        assert time.process_time() - start < 0.5
