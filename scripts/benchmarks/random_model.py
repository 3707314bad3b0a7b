"""A Qwen2 of random parameters, with the embedded task's tokenizer made as large as its vocabulary."""

from pathlib import Path

import torch

from gmpo_verl.data.arithmetic.tokenizer import make_tokenizer

VOCABULARY = 4096


def make_model(folder: Path, positions: int, hidden: int = 512, layers: int = 8) -> None:
    """Write it where transformers, verl and vLLM find it; 29 M parameters by default."""
    from transformers import Qwen2Config, Qwen2ForCausalLM  # after gmpo_verl (gmpo_verl/cpu/torchvision_schemas.py)

    tokenizer = make_tokenizer()
    tokenizer.add_tokens([f"<word {number}>" for number in range(VOCABULARY - len(tokenizer))])
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        num_key_value_heads=max(1, hidden // 128),
        max_position_embeddings=positions,
        bos_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
