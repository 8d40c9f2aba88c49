"""The Case page: inputs, own answer, result."""
