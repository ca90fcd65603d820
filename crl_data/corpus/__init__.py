"""From problems and solutions to a dataset: selection, mixing, the store, the build and what it leaves behind."""
