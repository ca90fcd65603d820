"""Samplers: where candidates come from. Each yields solutions for problems; what they are worth, the judge finds out."""
