"""What a run's files say, as one page: metrics, figures, warnings in plain words, and every answer of the model."""
