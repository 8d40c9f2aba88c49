"""What one server needs to run: the queue to the models, memory, log, uploads."""
