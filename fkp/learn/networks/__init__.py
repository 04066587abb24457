"""Networks: architectures, checkpoints, prediction, export."""
