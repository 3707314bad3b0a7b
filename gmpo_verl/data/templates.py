r"""The prompt templates: the messages of a problem, and how they become the model's text.

`qwen_math` and `easy_r1` are rendered by the model's own chat template. The text of `r1` and `none` is complete, and no
chat template may wrap it. verl renders every prompt, so for these a run passes the chat template TEXT that
`chat_template_for` gives:

    "+data.apply_chat_template_kwargs.chat_template='TEXT'"

verl hands these options to the tokenizer (or processor) wherever a prompt is rendered: where rollouts start, and where
prompts longer than `data.max_prompt_length` are filtered. `actor_rollout_ref.model.custom_chat_template` reaches the
rollouts alone.
"""

from typing import Literal, TypedDict, get_args

from gmpo_verl.rewards.answer import Template as AnswerForm

Template = Literal["qwen_math", "r1", "none", "easy_r1"]
TEMPLATES: tuple[Template, ...] = get_args(Template)


class Message(TypedDict):
    """One turn of a conversation, as chat templates read it."""

    role: str
    content: str


QWEN_MATH_SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."

# The wording of sail-sg/understand-r1-zero (template "r1" of its training script), which the official GMPO took over.
# It differs from DeepSeek-R1's own (arXiv 2501.12948, table 1) in that the prompt opens the thinking.
R1_PROMPT = (
    "A conversation between User and Assistant. The User asks a question, and the Assistant solves it. "
    "The Assistant first thinks about the reasoning process in the mind and then provides the User with the answer. "
    "The reasoning process is enclosed within <think> </think> and answer is enclosed within <answer> </answer> tags, "
    "respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>.\n"
    "User: {problem}\nAssistant: <think>"
)

# The instruction that hiyouga/EasyR1 (examples/format_prompt/math.jinja) and verl (examples/data_preprocess/geo3k.py)
# put behind a Geometry3K problem.
EASY_R1_INSTRUCTION = (
    "You FIRST think about the reasoning process as an internal monologue and then provide the final answer. "
    "The reasoning process MUST BE enclosed within <think> </think> tags. "
    r"The final answer MUST BE put in \boxed{}."
)

# The contents and nothing around them, but for the token with which some tokenizers (Llama, DeepSeek) begin plain text:
# they leave it to the chat template where there is one. No quotes, so that it can stand in any.
PASS_THROUGH_CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}"


def messages(template: Template, problem: str) -> list[Message]:
    """The messages that ask for a problem's solution: of training data, evaluation and single problems alike."""
    if template == "qwen_math":
        return [{"role": "system", "content": QWEN_MATH_SYSTEM}, {"role": "user", "content": problem}]
    if template == "easy_r1":
        return [{"role": "user", "content": f"{problem.strip()} {EASY_R1_INSTRUCTION}"}]
    # Not str.format: a problem may hold braces, but so may a template.
    text = R1_PROMPT.replace("{problem}", problem) if template == "r1" else problem
    return [{"role": "user", "content": text}]


def chat_template_for(template: Template) -> str | None:
    """The chat template that a run must pass to the tokenizer; None where the model's own is right."""
    return PASS_THROUGH_CHAT_TEMPLATE if template in ("r1", "none") else None


def answer_form(template: Template) -> AnswerForm:
    """How the reward reads responses to this prompt: the value of `extra_info["template"]`."""
    return "qwen_math" if template == "easy_r1" else template
