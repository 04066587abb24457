"""Networks, training, evaluation, audit of labels. Only this package and `bundled` use torch."""
