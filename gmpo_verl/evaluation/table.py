"""`results.md`: the figures as tables, with the paper's rows beside them."""

from collections.abc import Iterable, Sequence
from typing import Any

from gmpo_verl.evaluation.paper_tables import MATH_BENCHMARKS, rows_for, title


def markdown(results: dict[str, Any]) -> str:
    """The text of `results.md` from the object of `results.json`."""
    sections = [
        f"# {results['model']}",
        _how(results),
        _comparison(results),
        "## In detail",
        _details(results),
    ]
    if several := _several_answers(results):
        sections += ["Several answers a problem, in %, with intervals of 95 %:", several]
    return "\n\n".join(sections) + "\n"


def _how(results: dict[str, Any]) -> str:
    sampling = results["sampling"]
    if not sampling:
        return (
            "Answers of a file, graded as in training. Accuracy in %, with bootstrap intervals of 95 % over problems."
        )
    temperature = sampling["temperature"]
    drawn = "greedy" if temperature == 0 else f"temperature {temperature}, top-p {sampling['top_p']}"
    answers = sorted({figures["answers_a_problem"] for figures in results["benchmarks"].values()})
    many = "One answer" if answers == [1] else f"{answers[0]} answers"
    limit = f" The first {sampling['limit']} problems of each benchmark." if sampling.get("limit") else ""
    return (
        f"{many} a problem, {drawn}, at most {sampling['max_tokens']} tokens, {sampling['dtype']}, "
        f"graded as in training.{limit} Accuracy in %, with bootstrap intervals of 95 % over problems."
    )


def _comparison(results: dict[str, Any]) -> str:
    names = list(results["benchmarks"])
    paper = rows_for(results["model"], tuple(names))
    complete = set(MATH_BENCHMARKS) == set(names)
    ours = [_interval(results["benchmarks"][name]["accuracy"]) for name in names]
    rows = [[f"**{results['model']}**", *ours, _interval(results["average"]["accuracy"])]]
    for row in paper:
        figures = [_plain(row.scores.get(name)) for name in names]
        rows.append([f"{row.name} (paper)", *figures, _plain(row.average) if complete else ""])
    return _table(["", *map(title, names), "average"], rows)


def _details(results: dict[str, Any]) -> str:
    columns = [
        "",
        "problems",
        "answers",
        "right",
        "truncated",
        "no answer in the form",
        "not graded",
        "reward",
        "tokens",
    ]
    rows = []
    for name, figures in results["benchmarks"].items():
        lengths = (
            "" if figures["tokens_mean"] is None else f"{figures['tokens_mean']:.0f} (max {figures['tokens_max']})"
        )
        counts = (figures[key] for key in ("problems", "answers", "correct", "truncated", "unformatted", "ungraded"))
        cells = ["" if count is None else str(count) for count in counts]
        rows.append([title(name), *cells, _percent(figures["reward"]), lengths])
    return _table(columns, rows)


def _several_answers(results: dict[str, Any]) -> str:
    rows = []
    for name, figures in results["benchmarks"].items():
        for k in figures.get("pass", {}):
            row = [title(name), k, _interval(figures["pass"][k]), _interval(figures["majority"][k])]
            rows.append(row)
    return _table(["", "k", "pass@k", "maj@k"], rows) if rows else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _interval(estimate: dict[str, float]) -> str:
    return f"{_percent(estimate['value'])} ({_percent(estimate['low'])} to {_percent(estimate['high'])})"


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"


def _plain(percent: float | None) -> str:
    return "" if percent is None else f"{percent:.1f}"
