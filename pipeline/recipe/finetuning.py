"""Settings of fine-tuning for a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.recipe.pretraining import Compile, Optimizer, Precision
from pipeline.settings import incidental

AdapterKind = Literal["none", "lora", "dora", "qlora"]


@dataclass(frozen=True)
class Adapter:
    """Small matrices that are trained beside a model whose own weights stay as they are (docs/tasks.md)."""

    kind: AdapterKind = "none"
    """none: all weights are trained. lora (Hu et al., 2022), dora (Liu et al., 2024); qlora: LoRA beside weights in
    4 bits (Dettmers et al., 2023). With a name, none means lora."""
    name: str = ""
    """With a name it is one of many of the task, in adapters/TASK/NAME of the run, and the task's model stays."""
    rank: int = 16
    """Rows of the smaller matrices."""
    alpha: float = 32.0
    """What the matrices' product is multiplied by, times the rank."""
    dropout: float = 0.0
    """Share of a matrix's inputs that is left out in training."""
    targets: tuple[str, ...] = ()
    """Names of the linear layers that get one, such as q_proj v_proj; empty takes all but the output layer."""

    @property
    def method(self) -> AdapterKind:
        """The kind, where a name alone means LoRA."""
        return "lora" if self.name and self.kind == "none" else self.kind


@dataclass(frozen=True)
class Privacy:
    """Differential privacy: each example's gradient is clipped, and noise added to their sum (docs/privacy.md)."""

    epsilon: float = 0.0
    """How much of one example the model may tell at most, with a probability of all but delta; 0: no such bound."""
    delta: float = 0.0
    """0 takes a tenth of one over the number of training examples."""
    clip: float = 1.0
    """Largest norm of one example's gradient; it takes the place of gradient-clipping."""


@dataclass(frozen=True)
class Finetune:
    """Task data to a fine-tuned, measured model."""

    data: str = ""
    """Where rows come from: package:NAME, hub:OWNER/NAME, a file or a directory."""
    eval_data: str = ""
    """Held-out rows; without it they are split off by the seed."""
    skip_bad_rows: int = 0
    """Rows that cannot be read or hold no example are listed and passed over, so many of each part at most."""
    text_column: str = "text"
    """The column with the input: the text, the source sentence, the document, the messages."""
    pair_column: str = ""
    """Classification: the column with the second of two texts, which are compared; empty where there is one."""
    label_column: str = "label"
    """The column with the output: the label, the target sentence, the summary."""
    label_names: tuple[str, ...] = ()
    """Names of the labels 0, 1, …, or the whole set of names; without it they are read from the data."""
    problem: Literal["classes", "labels", "grades", "ordinal"] = "classes"
    """Classification. classes: one label for each text. labels: any number. grades: a number, learnt by regression.
    ordinal: one of few numbers, of which the order alone counts."""
    label_separator: str = ","
    """What stands between labels in one cell, where a text may have several."""
    class_weights: Literal["none", "balanced"] = "none"
    """Classification. balanced: an example counts the more the rarer its class is (scikit-learn's formula)."""
    choose_threshold: bool = False
    """Classification with two classes: choose from which probability the rarer one is said, by its F1."""
    long_texts: Literal["head-tail", "head", "windows"] = "head-tail"
    """Classification: what is read of a text beyond max_tokens. Pairs are cut at the end of the longer text."""
    model: str = ""
    """Start from this published model (a path, a Hub name or package:NAME), not the recipe's own."""
    adapter: Adapter = Adapter()
    privacy: Privacy = Privacy()
    max_tokens: int = 256
    """Longest example, in tokens; longer ones are cut as the task says."""
    max_new_tokens: int = 64
    """Longest generated answer, in tokens."""
    n_best: int = 5
    """Question answering: the likeliest answers that are written down for each question, beside "no answer"."""
    prefix: str = ""
    """Words before every input of translation and summarization, such as T5's own 'summarize: '."""
    source_language: str = ""
    """Language of the sources, as a multilingual tokenizer names it (eng_Latn); empty takes the column's name."""
    target_language: str = ""
    """Language of the targets, such as ron_Latn; empty takes the column's name."""
    both_directions: bool = False
    """Translate in both directions by one model, which is told the language to write."""
    beams: tuple[int, ...] = (1,)
    """Numbers of beams, of which translation and summarization choose on the validation part; 1 is greedy."""
    length_penalties: tuple[float, ...] = (1.0,)
    """Length penalties to choose from with each number of beams above 1; greater ones prefer longer texts."""
    temperature: float = 0.0
    """Saved with a model that writes, for whoever samples; 0 saves none. What is measured is never sampled."""
    top_p: float = 1.0
    """Saved with the temperature: the probability mass of the likeliest tokens that are sampled from."""
    steps: int = 200
    """Optimiser steps, unless passes are set."""
    passes: float = 0.0
    """Passes over the training part, from which the steps follow; 0 takes the steps as they are."""
    global_batch: int = 32
    """Examples in one optimiser step, over all processes."""
    micro_batch: int = 32
    """At most so many of the longest examples a process holds at a time, or more that are shorter; the rest of the
    global batch is accumulated."""
    optimizer: Optimizer = "adamw"
    """adamw, schedule-free: that for everything. muon: Muon for matrices inside the layers, AdamW for the rest."""
    learning_rate: float | Literal["auto"] = 5e-4
    """Peak rate of AdamW; auto takes what suits the size of the model (pipeline/model/scaling.py)."""
    muon_learning_rate: float = 3e-3
    """Peak rate of Muon."""
    betas: tuple[float, float] = (0.9, 0.999)
    """How much AdamW keeps, at each step, of its averages of the gradient and of the gradient's square."""
    weight_decay: float = 0.01
    """Decoupled weight decay on matrices."""
    schedule: Literal["linear", "constant"] = "linear"
    """After the warm-up. linear: falling to zero at the end. constant."""
    warmup: float = 0.1
    """Share of the steps in which the rate rises linearly."""
    gradient_clipping: float = 1.0
    """Largest global gradient norm."""
    leap: float = 0.0
    """A step is skipped whose loss is so many standard deviations above the mean of late; 0 skips none for that."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the machine computes in it, else float32."""
    compile: Compile = "auto"
    """torch.compile, for any shape; auto on CPUs where a compiler is found and the training is long enough to gain."""
    from_scratch: bool = True
    """Also train the same architecture from random weights, to see what pre-training bought."""
    evaluation_tokens: int = incidental(8192)
    """Tokens in one batch of prediction, padding and what is generated included."""
    checkpoint_every: int = incidental(200)
    """Steps between two checkpoints."""
    checkpoints_kept: int = incidental(2)
    """Checkpoints that are kept: so many of the newest, and the best."""
    skipped_steps: int = incidental(10)
    """Steps that are skipped, as their loss or gradient is no number or the loss leaps, before the training ends."""
    log_every: int = incidental(0)
    """Steps between two lines of the log; 0 is every step on CPUs and every tenth on GPUs, which a line waits for."""
