"""The configuration: verl's `ppo_trainer` with the groups `algorithm`, `hardware` and `recipe` on top."""
