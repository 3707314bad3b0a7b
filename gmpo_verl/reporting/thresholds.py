"""From where on a metric is worth a warning, and why from there."""

# Early and late are compared as medians over a fifth of the steps each: a single odd round moves neither.
STRETCH = 0.2
# Fewer rounds tell no trend.
MIN_STEPS = 10

# The answers of a group differ less and less as entropy falls, and what does not differ has no advantage. A tenth of
# the start is a tenth of the choices, in nats, that gave the groups their signal.
ENTROPY_KEPT = 0.1
# A policy that is right nearly always has little left to choose: low entropy is then the goal and no collapse.
SOLVED_REWARD = 0.9
# Twice the entropy of the start: the policy moves towards noise, as runs do that fall apart.
ENTROPY_GROWN = 2.0

# Old and new policy differ by one round's updates. A token that becomes e^3 = 20 times as likely, or a twentieth, in
# the median round is far outside any window of the paper (at most e^0.8), round after round.
LOG_RATIO = 3.0
# A whole response whose geometric mean ratio is beyond e^0.8, the widest window of the paper: all its tokens moved.
SEQ_LOG_RATIO = 0.8

# Clipped tokens give no gradient. The embedded task clips less than one token in fifty; one in five is ten times that,
# and a fifth of what was generated is generated for nothing.
CLIP_FRACTION = 0.2

# A rise by a tenth of all responses is more than the noise of a round of 100 or more; from three tenths on the limit
# shapes what is learned, rising or not.
TRUNCATION_RISE = 0.1
TRUNCATION = 0.3

# With three of four responses without an advantage, a round has the signal of one of a quarter its size.
NO_SIGNAL = 0.75

# Losing half of the best smoothed reward is beyond the noise of rounds, as in the collapse of GRPO near step 250 of the
# paper's figure 5.
REWARD_KEPT = 0.5

# The bound below which a run itself warns that its rollouts may not come from the current weights.
CORRELATION = 0.95
# One answer in twenty that the grader could not judge is noise in the reward as large as most gains of a day.
UNGRADED = 0.05
