"""A run's checkpoints: which are whole (`markers`), where it goes on (`resume_point`), what is kept (`retention`)."""
