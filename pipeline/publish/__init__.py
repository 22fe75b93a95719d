"""Publishing: the model card from a run's own manifests, and the push to the Hugging Face Hub."""
