"""Networks, training, metrics, checkpoints. The only room with torch."""
