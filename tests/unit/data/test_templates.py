import pytest

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer
from gmpo_verl.data.templates import (
    EASY_R1_INSTRUCTION,
    PASS_THROUGH_CHAT_TEMPLATE,
    QWEN_MATH_SYSTEM,
    TEMPLATES,
    answer_form,
    chat_template_for,
    messages,
)
from gmpo_verl.rewards.answer import read_response, template_of

PROBLEM = r"Let $f(x) = \{x\}$ and {problem}. Find $f(%s)$."


def rendered(tokenizer, template, problem=PROBLEM):
    """As verl renders it."""
    return tokenizer.apply_chat_template(
        messages(template, problem),
        chat_template=chat_template_for(template),
        tokenize=False,
        add_generation_prompt=True,
    )


@pytest.fixture
def tokenizer():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<turn>{% endif %}"
    )
    return tokenizer


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_holds_the_problem_exactly_once_and_unchanged(tokenizer, template):
    assert rendered(tokenizer, template).count(PROBLEM) == 1


def test_qwen_math_is_a_system_message_and_the_problem_in_the_models_own_turns(tokenizer):
    assert rendered(tokenizer, "qwen_math") == f"<system>{QWEN_MATH_SYSTEM}<user>{PROBLEM}<turn>"


def test_easy_r1_puts_its_instruction_behind_the_problem_in_the_models_own_turns(tokenizer):
    assert rendered(tokenizer, "easy_r1") == f"<user>{PROBLEM} {EASY_R1_INSTRUCTION}<turn>"


def test_none_is_the_bare_problem_whatever_the_models_chat_template(tokenizer):
    assert rendered(tokenizer, "none") == PROBLEM


def test_r1_opens_the_thinking_and_nothing_follows_or_precedes_its_text(tokenizer):
    text = rendered(tokenizer, "r1")
    assert text.startswith("A conversation between User and Assistant.")
    assert text.endswith(f"User: {PROBLEM}\nAssistant: <think>")


def test_a_text_begins_with_the_token_that_the_tokenizer_begins_texts_with(tokenizer):
    tokenizer.bos_token = "<|im_start|>"
    assert rendered(tokenizer, "none") == f"<|im_start|>{PROBLEM}"


def test_the_pass_through_template_can_be_quoted_on_a_command_line():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    override = f"+data.apply_chat_template_kwargs.chat_template='{PASS_THROUGH_CHAT_TEMPLATE}'"
    assert OverridesParser.create().parse_override(override).value() == PASS_THROUGH_CHAT_TEMPLATE


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_reward_reads_an_answer_in_the_form_that_the_template_asks_for(template):
    form = template_of(answer_form(template))
    response = "so </think> <answer>7</answer>" if template == "r1" else r"so \boxed{7}"
    assert read_response(response, form) == ("7", True)
