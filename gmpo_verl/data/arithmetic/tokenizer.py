r"""The task's tokenizer: all 256 bytes, and ``\boxed{`` as one token."""

from tokenizers import pre_tokenizers
from transformers import AddedToken, Qwen2Tokenizer

from gmpo_verl.data.arithmetic.settings import BOX_OPEN

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

# The content of the messages and nothing else: role words would make most of every prompt of a task this small, and
# learning with them was several times slower.
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def make_tokenizer() -> Qwen2Tokenizer:
    r"""A byte-level tokenizer of 260 tokens.

    transformers rebuilds the pre-tokenizer of any tokenizer whose model is a qwen2, whatever its files say, so only a
    real Qwen2Tokenizer survives saving. Its pre-tokenizer would cut a merged ``\boxed{`` before the brace; as an added
    token it is found first. It is not special, so it stays in decoded text.

    Every NFC-normalised text comes back from its tokens unchanged.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Qwen2Tokenizer(
        vocab={symbol: index for index, symbol in enumerate(alphabet)},
        merges=[],
        unk_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        eos_token=TURN_END,
        additional_special_tokens=[TURN_START],
    )
    tokenizer.add_tokens([AddedToken(BOX_OPEN, normalized=False, special=False)])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
