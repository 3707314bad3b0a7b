"""The text and tokens of a prompt, as training makes them, and whether they fit into the model's context."""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gmpo_verl.data.templates import chat_template_for
from gmpo_verl.errors import UserError, reason
from gmpo_verl.evaluation.benchmarks import Problem
from gmpo_verl.evaluation.model_source import Model

IMAGE = "<image>"  # where an image stands in a message, in verl's data


@dataclass(frozen=True)
class Prompt:
    """A prompt ready for the model. `token_ids` are empty where images come with it: vLLM places their tokens."""

    text: str
    token_ids: tuple[int, ...]
    tokens: int  # its length, those of images included
    images: tuple[bytes, ...] = ()

    @property
    def digest(self) -> str:
        """Tells prompts apart."""
        sha = hashlib.sha256(self.text.encode())
        for image in self.images:
            sha.update(hashlib.sha256(image).digest())
        return sha.hexdigest()[:16]


class Renderer:
    """Turns problems into prompts with the model's tokenizer, or its processor where there are images."""

    def __init__(self, model: Model, trust_remote_code: bool = False) -> None:
        self._model = model
        self._options = {"trust_remote_code": trust_remote_code, "local_files_only": True}
        self._tokenizer = self._load("AutoTokenizer")
        self._processor: Any = None

    def render(self, problem: Problem) -> Prompt:
        """Raises UserError where the tokenizer has no chat template and the prompt needs one."""
        return self._with_images(problem) if problem.images else self._text(problem)

    def _text(self, problem: Problem) -> Prompt:
        text = self._chat(self._tokenizer, problem, list(problem.messages))
        token_ids = tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        return Prompt(text, token_ids, len(token_ids))

    def _with_images(self, problem: Problem) -> Prompt:
        from PIL import Image

        if self._processor is None:
            self._processor = self._load("AutoProcessor")
            if not hasattr(self._processor, "image_processor"):
                raise UserError(f"--model {self._model.folder} takes no images, but {problem.name} has some.")
        placed = sum(message["content"].count(IMAGE) for message in problem.messages)
        if placed != len(problem.images):
            raise UserError(f"{problem.name} has {len(problem.images)} images and {placed} places {IMAGE} for them.")
        messages = [{**message, "content": _parts(message["content"])} for message in problem.messages]
        text = self._chat(self._processor, problem, messages)
        images = [Image.open(io.BytesIO(image)).convert("RGB") for image in problem.images]
        tokens = len(self._processor(text=[text], images=images)["input_ids"][0])
        return Prompt(text, (), tokens, problem.images)

    def _chat(self, tokenizer: Any, problem: Problem, messages: list[dict[str, Any]]) -> str:
        own = chat_template_for(problem.template)
        if own is None and not tokenizer.chat_template:
            raise UserError(
                f"--model {self._model.folder} has no chat template, which {problem.name} needs: "
                "prepare the data with --template r1 or none, or write an instruction model."
            )
        text = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False, **({} if own is None else {"chat_template": own})
        )
        assert isinstance(text, str)
        return text

    def _load(self, kind: str) -> Any:
        import transformers

        try:
            return getattr(transformers, kind).from_pretrained(self._model.folder, **self._options)
        except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
            what = kind.removeprefix("Auto").lower()
            raise UserError(f"--model {self._model.folder}: its {what} cannot be loaded ({reason(error)}).") from error


def check_context(model: Model, prompts: Iterable[tuple[str, Prompt]], max_tokens: int, exactly: bool) -> int:
    """The longest sequence that the engine has to hold, in tokens: the longest prompt and its answer.

    Args:
        prompts: names for the message, and the prompts.
        max_tokens: of an answer.
        exactly: whether every prompt must leave that many; else what the context leaves is enough.

    Raises:
        UserError: the model's context is shorter.
    """
    name, longest = max(prompts, key=lambda pair: pair[1].tokens)
    needed, context = longest.tokens + max_tokens, model.context
    if context is None or needed <= context:
        return needed
    left = context - longest.tokens
    if left < 1:
        raise UserError(
            f"--model {model.folder} has a context of {context} tokens and {name} has a prompt of {longest.tokens}: "
            "write a model with a longer context, or other problems."
        )
    if exactly:
        raise UserError(
            f"--max-tokens {max_tokens} and a prompt of {longest.tokens} tokens ({name}) need {needed}, "
            f"but the context of --model {model.folder} is {context} tokens: write --max-tokens {left} or less."
        )
    return context


def _parts(content: str) -> list[dict[str, str]]:
    """A message's text with its images in their places, as processors read it."""
    parts: list[dict[str, str]] = []
    for number, text in enumerate(content.split(IMAGE)):
        parts += [{"type": "image"}] if number else []
        parts += [{"type": "text", "text": text}] if text else []
    return parts
