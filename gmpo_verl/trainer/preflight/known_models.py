"""The recipes' models as their config.json on the hub describes them, for planning before they are downloaded."""

from typing import Any

_QWEN2_5_7B: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}

KNOWN_MODELS: dict[str, dict[str, Any]] = {
    "Qwen/Qwen2.5-Math-1.5B": {
        "model_type": "qwen2",
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
        "max_position_embeddings": 4096,
    },
    "Qwen/Qwen2.5-Math-7B": _QWEN2_5_7B | {"max_position_embeddings": 4096},
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": _QWEN2_5_7B | {"max_position_embeddings": 131072},
    "Qwen/Qwen2.5-VL-7B-Instruct": _QWEN2_5_7B
    | {
        "model_type": "qwen2_5_vl",
        "max_position_embeddings": 128000,
        "vision_config": {"hidden_size": 1280, "out_hidden_size": 3584},
    },
    "Qwen/Qwen3-30B-A3B": {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "moe_intermediate_size": 768,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
        "max_position_embeddings": 40960,
    },
}

# All of them, a vision tower's included.
KNOWN_PARAMETERS = {
    "Qwen/Qwen2.5-Math-1.5B": 1_543_714_304,
    "Qwen/Qwen2.5-Math-7B": 7_615_616_512,
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": 7_615_616_512,
    "Qwen/Qwen2.5-VL-7B-Instruct": 8_292_166_656,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
}
