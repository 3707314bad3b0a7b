"""Answers that make a grader work for ever, run out of memory, crash or run code, and ordinary ones that need it."""

from pathlib import Path


def hostile_answer(index: int, code_target: Path) -> tuple[str, str]:
    """The ``index``-th of an endless sequence, all distinct, with its ground truth. Run as code it makes a file."""
    n = index + 2
    touch = f"open('{code_target}', 'w')"
    answers = [
        f"{n}^{{{n + 7}^{{{n + 9}^{{99}}}}}}",
        f"3219313^{{{33923273 + n}}}",
        f"{n}^{{10^{{10^{{10}}}}}}",
        f"{10**7 + n}!",
        f"((({n + 5}!)!)!)!",
        str(n) * 200_000,
        f"{n}.{'3' * 200_000}",
        "(" * 3_000 + str(n) + ")" * 3_000,
        "(" * 900 + f"x+{n}" + ")" * 900,
        "{" * 900 + f"x+{n}" + "}" * 900,
        r"\frac{1}{" * 150 + f"x+{n}" + "}" * 150,
        r"\sqrt{" * 250 + f"x+{n}" + "}" * 250,
        rf"\boxed{{\boxed{{{n}",
        f"{n}\x00\x01\x02\x07\x1b[2J\x7f",
        f"x+{n}\ud800\udfff",
        f"__import__('os').system('touch {code_target}')+{n}",
        f"x+{touch}+{n}",
        f"{n}; {touch}",
        rf"\int_0^\infty \int_0^\infty \int_0^\infty e^{{-x^{n} y^3 z^4}} \sin(x y z)\, dx\, dy\, dz",
        rf"\int \sin(\cos(\sin(\cos(x^{{{n}}}))))^{{{n}}} dx",
        rf"\sum_{{k=1}}^{{\infty}} \sum_{{j=1}}^{{\infty}} \frac{{\sin(k^j)}}{{k^{{{n}}}+j!}}",
        rf"\sum_{{k=1}}^{{{10**9 + n}}} k^k",
        rf"\prod_{{k=1}}^{{{10**9 + n}}} (k+x)",
        r"\begin{pmatrix}" + "&".join(map(str, range(n, n + 100_000))) + r"\end{pmatrix}",
        r"\begin{pmatrix}" + "&".join("1" * 470) + rf"&{n}" + r"\end{pmatrix}^{999}",
        f"(x+y+z+w+{n})^{{400}}",
        rf"\binom{{{10**9 + n}}}{{{10**8}}}",
        rf"\lim_{{x \to 0}} \frac{{\sin(\sin(\sin(x)))^{{{n}}}}}{{x^{{{n + 1}}}}}",
    ]
    truths = ["12", r"\sqrt{7}", "x^2+1", r"\frac{\pi}{7}"]
    return answers[index % len(answers)], truths[index // len(answers) % len(truths)]


def ordinary_answer(index: int) -> tuple[str, str, bool]:
    """Answer, ground truth and whether it is right: the ``index``-th of an endless sequence of distinct questions."""
    n = index // 4 + 2
    return [
        (f"(x+{n})^2", f"x^2+{2 * n}x+{n * n}", True),
        (f"(x+{n})^2", f"x^2+{2 * n}x+{n * n + 1}", False),
        (rf"\frac{{\sqrt{{{n}}}}}{{{n}}}", rf"\frac{{1}}{{\sqrt{{{n}}}}}", True),
        (f"{n}y-3x+1", f"1-3x+{n + 1}y", False),
    ][index % 4]
