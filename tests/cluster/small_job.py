"""The options of the job that the tests of this folder train."""

# Small and not validated; warm-started just enough for some right answers, without which no update has more than a row.
SMALL = (
    "arithmetic.clean_steps=100",
    "arithmetic.slip_steps=0",
    "arithmetic.validation_size=16",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.rollout.n=4",
    "trainer.val_before_train=false",
    "trainer.test_freq=-1",
)
