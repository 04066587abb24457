"""Networks, training, evaluation, audit of labels: torch stays here and in `bundled`."""
