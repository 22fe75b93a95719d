"""Settings of the model and of its pre-training, and what all trainings choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.settings import incidental

Precision = Literal["auto", "float32", "bfloat16"]
Compile = Literal["auto", "yes", "no"]
Attention = Literal["auto", "eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"]
Optimizer = Literal["muon", "adamw", "schedule-free"]

Size = Literal["tiny", "10m", "50m", "gpt2-small", "350m", "760m", "1b"]
"""Names on the dial; what they stand for is in pipeline/model/dial.py."""


@dataclass(frozen=True)
class Model:
    """The architecture, by one dial."""

    family: str = "llama"
    """A model of transformers by its model_type: llama, qwen3, gpt2, mistral or olmo2; for other objectives than causal
    bert, t5 or electra."""
    depth: int | Size = 6
    """The dial: layers, or a name. What is 0 here, and in pretrain and tokenizer, follows (docs/models.md)."""
    width: int = 0
    """Hidden size; 0 lets the dial decide."""
    heads: int = 0
    """Attention heads; 0 makes them 64 wide."""
    kv_heads: int = 0
    """Heads of keys and values, each shared by a group of attention heads; 0 gives every head its own."""
    context: int = 0
    """Longest sequence, in tokens; 0 lets the dial decide."""
    window: int = 4
    """ngram and nplm: tokens before the one predicted that the model sees (docs/models.md)."""
    direct: bool = True
    """nplm: weights straight from these tokens to the output, beside those through the hidden units."""
    start: str = ""
    """Published weights to start from instead of random ones: a path, a Hub name or package:NAME."""


@dataclass(frozen=True)
class Stream:
    """Text that is read while the model trains on it, in the place of the corpus' shards (docs/training.md)."""

    sources: tuple[str, ...] = ()
    """Where it comes from: package:NAME, hub:OWNER/NAME, a file or a directory. Empty: no stream."""
    weights: tuple[float, ...] = ()
    """Share of each source in the tokens; empty gives all the same."""
    window: int = 16_000_000
    """Tokens that are packed and shuffled together, while the model trains on those before them."""


@dataclass(frozen=True)
class Corruption:
    """What the objectives other than causal hide of the text, and how (docs/training.md)."""

    share: float = 0.15
    """Share of the tokens that is hidden."""
    whole_words: bool = False
    """Hide all tokens of a word or none; masked and replaced-token."""
    mean_span: float = 3.0
    """Tokens of a hidden span on average; span-corruption."""
    generator: float = 0.25
    """Width of the model that proposes replacements, as a share of the other's; replaced-token."""
    discriminator_weight: float = 50.0
    """Weight of telling replaced tokens, beside that of proposing them; replaced-token."""


@dataclass(frozen=True)
class Pretrain:
    """Token shards to a language model."""

    objective: str = "causal"
    """What is learnt (docs/training.md): causal, the next token; masked, hidden tokens from both sides (BERT);
    span-corruption, hidden spans (T5); replaced-token, which tokens were replaced (ELECTRA)."""
    corruption: Corruption = Corruption()
    steps: int = 0
    """Optimiser steps; 0 lets the model's size decide, and takes a published start as it is."""
    tokens_per_parameter: float = 20.0
    """Where the size decides: tokens to train on for each parameter (pipeline/model/scaling.py)."""
    global_batch: int = 0
    """Sequences in one optimiser step, over all processes; 0 lets the model's size decide."""
    micro_batch: int = 16
    """At most so many sequences a process holds at a time; the rest of the global batch is accumulated."""
    optimizer: Optimizer = "muon"
    """muon: Muon for matrices inside the layers, AdamW for the rest. adamw, schedule-free: that for everything."""
    learning_rate: float = 0.0
    """Peak rate of AdamW; 0 lets the model's size and the tokens decide."""
    muon_learning_rate: float = 0.02
    """Peak rate of Muon, the same for every size: its update is scaled to the matrix."""
    betas: tuple[float, float] = (0.9, 0.95)
    """How much AdamW keeps, at each step, of its averages of the gradient and of the gradient's square."""
    weight_decay: float = 0.01
    """Decoupled weight decay on matrices."""
    schedule: Literal["wsd", "cosine", "linear", "constant"] = "wsd"
    """After the warm-up. wsd: constant, then a linear decay. cosine, linear: falling to the end. constant."""
    warmup: float = 0.02
    """Share of the steps in which the rate rises linearly."""
    decay: float = 0.4
    """Share of the steps, at the end, in which the rate falls with wsd."""
    final_rate: float = 0.0
    """Share of the peak rate at which wsd and cosine end."""
    gradient_clipping: float = 1.0
    """Largest global gradient norm."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the machine computes in it, else float32."""
    compile: Compile = "auto"
    """torch.compile; auto where a compiler is found and the training is long enough to gain by it."""
    attention: Attention = "auto"
    """One of transformers' implementations; auto takes what suits the machine (pipeline/model/machine.py)."""
    z_loss: float = 0.0
    """Weight of the squared log-partition function in the loss; PaLM has 1e-4 (Chowdhery et al., 2022)."""
    leap: float = 10.0
    """A step is skipped whose loss is so many standard deviations above the mean of late; 0 skips none for that."""
    stream: Stream = Stream()
    evaluation_tokens: int = 50_000
    """Held-out tokens that the loss, and bits per byte where it is defined, is measured on."""
    evaluate_every: int = incidental(100)
    """Steps between two measurements during training; 0 measures at the end only."""
    checkpoint_every: int = incidental(200)
    """Steps between two checkpoints."""
    checkpoints_kept: int = incidental(2)
    """Checkpoints that are kept: so many of the newest, and the best."""
    skipped_steps: int = incidental(10)
    """Steps that are skipped, as their loss or gradient is no number or the loss leaps, before the training ends."""
    log_every: int = incidental(0)
    """Steps between two lines of the log; 0 is every step on CPUs and every tenth on GPUs, which a line waits for."""
    prompts: tuple[str, ...] = incidental(())
    """Prompts continued at every measurement, to see the model learn."""

    @property
    def is_causal(self) -> bool:
        """Whether the next token is learnt, and what comes out continues text."""
        return self.objective == "causal"
