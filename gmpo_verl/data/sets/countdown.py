"""CountDown as Jiayi-Pan/Countdown-Tasks-3to4 has it: numbers, and a target to reach with each of them used once."""

from gmpo_verl.data.sets.data_set import DataSet, Problem, UnusableRowError
from gmpo_verl.data.sources import Row
from gmpo_verl.rewards.countdown import Goal, goal_of

_QUESTION = (
    "Use each of the numbers {numbers} exactly once, with + - * / and parentheses, to write an expression that equals "
    "{target}. The answer is the expression."
)


def _read(row: Row) -> Problem:
    """The answer is a goal, which the reward checks an expression against."""
    try:
        goal = Goal(tuple(int(number) for number in row["nums"]), int(row["target"]))
    except (TypeError, ValueError) as error:
        raise UnusableRowError("the numbers or the target are no whole numbers") from error
    if goal_of(goal.ground_truth) is None:
        raise UnusableRowError("there are no numbers, or one is negative or too large")
    numbers = ", ".join(map(str, goal.numbers))
    return Problem(_QUESTION.format(numbers=numbers, target=goal.target), goal.ground_truth)


COUNTDOWN = DataSet(
    name="countdown",
    hub="Jiayi-Pan/Countdown-Tasks-3to4",
    columns=(("nums", "target"),),
    read=_read,
)
