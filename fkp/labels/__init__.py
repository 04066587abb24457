"""Tables of labelled faces: foreign formats in, checks, split, the prepared data set."""
