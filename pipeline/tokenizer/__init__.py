"""Training and measuring tokenizers; encoding text into token shards."""
