"""From inputs to results."""
