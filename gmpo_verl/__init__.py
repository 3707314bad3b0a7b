"""GMPO, Geometric-Mean Policy Optimization (arXiv 2507.20673), for verl."""

from gmpo_verl.cpu import torchvision_schemas

torchvision_schemas.install()  # before anything imports transformers' models

__version__ = "0.1.0"
