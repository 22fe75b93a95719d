"""The training core: token blocks, optimiser, schedule, the Trainer, checkpoints, watching."""
