r"""A Qwen2.5-VL of 0.5 M parameters that reads the colour of a figure, and figures in Geometry3K's columns.

The problem is the same for all; the figure's colour alone says the answer. A short warm start on the answers makes the
model right more often than a guess, so that groups have both right and wrong answers to learn from.
"""

from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from gmpo_verl.data.arithmetic.tokenizer import TURN_END, TURN_START, make_tokenizer
from gmpo_verl.data.templates import messages

PROBLEM = "<image>Which line is it?"
COLOURS = {"red": "1", "green": "2", "blue": "3"}  # and the answer that each means
SIZES = ((56, 56), (84, 56), (112, 84))  # pixels; whole patches, so the processor leaves them as they are
PIXELS_A_TOKEN = 28 * 28
MIN_PIXELS, MAX_PIXELS = 56 * 56, 112 * 112
VISION = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
WARM_START_STEPS = 45
RIGHT = 3  # demonstrations of a colour's own answer, to one of each other answer

# What Qwen2.5-VL's own does with contents, without the words around them.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}{% endfor %}"
)


def write_figures(folder: Path, rows: int) -> None:
    """A train and a test split of `rows` figures each, every colour in every size, as hiyouga/geometry3k has them."""
    kinds = [(colour, size) for colour in COLOURS for size in SIZES]
    for split in ("train", "test"):
        chosen = [kinds[row % len(kinds)] for row in range(rows)]
        table = pa.table(
            {
                "images": [[{"bytes": png(*kind), "path": f"{row}.png"}] for row, kind in enumerate(chosen)],
                "problem": [PROBLEM] * rows,
                "answer": [COLOURS[colour] for colour, _ in chosen],
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")


def png(colour: str, size: tuple[int, int]) -> bytes:
    stream = BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def image_tokens(size: tuple[int, int]) -> int:
    return size[0] * size[1] // PIXELS_A_TOKEN


def text_tokens() -> int:
    """Of a prompt without what stands for its figure."""
    [message] = messages("easy_r1", PROBLEM)
    return len(make_tokenizer()(message["content"].replace("<image>", ""))["input_ids"])


def make_model(folder: Path) -> None:
    """Write model, processor and tokenizer as a folder of Qwen2.5-VL has them."""
    torch.manual_seed(0)
    processor = _processor()
    model = _model(processor.tokenizer)
    _warm_start(model, processor)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _processor() -> Any:
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [TURN_START, *VISION]})
    tokenizer.chat_template = CHAT_TEMPLATE
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=MIN_PIXELS, max_pixels=MAX_PIXELS),
        video_processor=Qwen2VLVideoProcessor(),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
    )


def _model(tokenizer: Any) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    start, end, _, image, video = tokenizer.convert_tokens_to_ids(list(VISION))
    config = Qwen2_5_VLConfig(
        text_config={
            "model_type": "qwen2_5_vl_text",
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "rope_parameters": {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10000.0},
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 128,
            "fullatt_block_indexes": [1],
            "window_size": 112,
            "patch_size": 14,
            "spatial_merge_size": 2,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
        tie_word_embeddings=False,
    )
    return Qwen2_5_VLForConditionalGeneration(config).float()


def _warm_start(model: Any, processor: Any) -> None:
    """Until an answer has its form, and is right about as often as in the demonstrations."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(WARM_START_STEPS):
        inputs, answer_length = _demonstrations(processor, SIZES[step % len(SIZES)])
        labels = inputs["input_ids"].clone()
        labels[:, :-answer_length] = -100
        loss = model(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def _demonstrations(processor: Any, size: tuple[int, int]) -> tuple[Any, int]:
    """The processor's tensors of figures with answers, all of one length, and how many tokens an answer has."""
    [message] = messages("easy_r1", PROBLEM)
    prompt = message["content"].replace("<image>", "<|vision_start|><|image_pad|><|vision_end|>")
    shown = [
        (colour, answer)
        for colour, right in COLOURS.items()
        for answer in COLOURS.values()
        for _ in range(RIGHT if answer == right else 1)
    ]
    responses = [rf"\boxed{{{answer}}}{TURN_END}" for _, answer in shown]
    inputs = processor(
        text=[prompt + response for response in responses],
        images=[Image.new("RGB", size, colour) for colour, _ in shown],
        return_tensors="pt",
    )
    return inputs, len(processor.tokenizer(responses[0])["input_ids"])
