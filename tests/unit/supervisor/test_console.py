"""What is shown on a terminal and elsewhere."""

import io

from gmpo_verl.supervisor.console import Display
from gmpo_verl.supervisor.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(step: int) -> Progress:
    progress = Progress(total_steps=70, step=step, reward=0.25)
    progress.accuracy_last["val-core/a/acc/mean@4"] = (0, 0.5)
    return progress


def test_elsewhere_there_is_one_plain_line_a_step() -> None:
    out, err = io.StringIO(), io.StringIO()
    display = Display(out, err)
    for step in (0, 1, 1, 3):
        display.step(at(step))
    display.line("a stage")
    display.close(["the cause"], failed=True)
    assert out.getvalue().splitlines() == [
        "step 1/70  accuracy 0.500  reward 0.250",
        "step 3/70  accuracy 0.500  reward 0.250",
        "a stage",
    ]
    assert err.getvalue() == "the cause\n"


def test_a_terminal_gets_a_bar_and_the_closing_lines_after_it() -> None:
    out = Terminal()
    display = Display(out, io.StringIO())
    display.step(at(7))
    display.line("warning: [low]")
    display.close(["Finished"], failed=False)
    assert "step 7/70" in out.getvalue() and "warning: [low]" in out.getvalue()
    assert out.getvalue().endswith("Finished\n")
