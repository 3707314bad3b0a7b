"""Evaluation on benchmarks: problems, answers from vLLM, verdicts, and the figures over them."""
