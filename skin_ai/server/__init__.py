"""What keeps one server healthy: the queue to the models, memory, log, uploads."""
