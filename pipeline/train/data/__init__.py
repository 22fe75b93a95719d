"""What a training is fed: examples in micro-batches, documents packed into rows, text as a stream."""
