"""What a training does when something goes wrong: it is saved, stopped, guarded, made smaller, gone on with."""
