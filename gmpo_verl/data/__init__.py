"""Training and validation data in verl's columns."""
