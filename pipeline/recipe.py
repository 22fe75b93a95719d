"""The typed tree of settings: what a recipe says. Its checks are in checks/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pipeline.settings import incidental

Precision = Literal["auto", "float32", "bfloat16"]
Compile = Literal["auto", "yes", "no"]
Attention = Literal["auto", "eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"]
Optimizer = Literal["muon", "adamw", "schedule-free"]

FilterFamily = Literal["gopher-quality", "gopher-repetition", "c4", "fineweb"]

AdapterKind = Literal["none", "lora", "dora", "qlora"]

ALIGNED = ("dpo", "grpo")
"""Sections of the recipe that align the model that converses; --task takes them where a finished model is named."""

Size = Literal["tiny", "10m", "50m", "gpt2-small", "350m", "760m", "1b"]
"""Names on the dial; what they stand for is in pipeline/model/dial.py."""


@dataclass(frozen=True)
class Corpus:
    """Raw text to clean documents."""

    sources: tuple[str, ...] = ()
    """Where text comes from: package:NAME, hub:OWNER/NAME, a file or a directory."""
    weights: tuple[float, ...] = ()
    """Share of each source in the corpus, by characters; the scarcest is used whole. Empty takes all of all."""
    text_column: str = "text"
    """The column that holds the text in tabular sources."""
    skip_bad_rows: int = 0
    """Rows that cannot be read or hold no text are listed and passed over, so many of all sources at most."""
    megabytes: float = 0.0
    """Read at most this much text, in millions of characters, divided by the weights; 0 reads all of it."""
    minimum_characters: int = 100
    """Documents shorter than this are dropped."""
    longest_document: int = 20_000
    """Longer documents are cut into documents of at most this many characters, at paragraphs where it can be."""
    languages: tuple[str, ...] = ()
    """Documents in other languages (ISO 639-1) are dropped; empty keeps all."""
    filters: tuple[FilterFamily, ...] = ()
    """Families of published heuristics for web text (pipeline/corpus/filters.py); empty applies none."""
    near_duplicates: float = 0.7
    """Documents whose word 5-grams have a Jaccard similarity above this are dropped; 0 keeps them."""
    near_false_positives: float = 0.02
    """Chance that a pair 0.1 less similar than that counts as near; it sets the length of the sketches."""
    boilerplate: int = 20
    """Lines of 40 characters or more that more documents than this hold are cut out of all; 0 keeps them."""
    repeated_passages: int = 200
    """Lines at least this long, in characters, are cut out of all documents but the first; 0 keeps them."""
    decontaminate: int = 13
    """Documents to train on that share this many words in a row with a task's held-out part are dropped; 0 keeps."""
    mask_personal_data: bool = True
    """Replace personal data and secrets (pipeline/corpus/personal_data.py) by typed placeholders."""


@dataclass(frozen=True)
class Tokenizer:
    """Clean documents to a tokenizer and token shards."""

    algorithm: Literal["bpe", "unigram", "wordpiece", "word"] = "bpe"
    """bpe: byte-level BPE. unigram, wordpiece: subwords. word: split at white space, the simplest there is."""
    vocabulary: int = 0
    """Entries, special tokens included; 0 lets the model's size decide (pipeline/model/vocabulary.py)."""
    training_megabytes: float = 20.0
    """Text it is learned from, in millions of characters, taken evenly from the corpus."""
    digits: Literal["groups", "single", "together"] = "groups"
    """Numbers are split into groups of at most three digits, into single digits, or not at all."""
    whitespace: Literal["runs", "single"] = "runs"
    """A run of blanks, as in indented code, may become one token, or each blank stays alone."""
    mask: bool = False
    """A token that stands for one that is hidden, which masked and replaced-token pre-training need."""
    sentinels: int = 0
    """Tokens that stand for hidden spans, <extra_id_0> and so on, which span-corruption needs; T5 has 100."""


@dataclass(frozen=True)
class Executor:
    """Where text is prepared. It changes no result, so it is part of no fingerprint."""

    kind: Literal["local", "slurm", "ray"] = "local"
    """This machine, a Slurm cluster (from a login node; the runs directory is shared) or a Ray cluster."""
    workers: int = 0
    """Tasks at the same time; 0 is one for each core of this machine, and no limit on a cluster."""
    partition: str = ""
    """Slurm partition."""
    time: str = "04:00:00"
    """Slurm time limit of one task."""
    memory_gigabytes: int = 4
    """Memory of one task on a cluster."""


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


@dataclass(frozen=True)
class Align:
    """What both ways of tuning a model that converses share: by preferences, and by rewards."""

    model: str = ""
    """Start from this published model (a path, a Hub name or package:NAME), not the recipe's own of chat."""
    steps: int = 100
    """Optimiser steps."""
    micro_batch: int = 8
    """At most so many examples a process holds at a time; the rest of the global batch is accumulated."""
    learning_rate: float = 1e-5
    """Peak rate of AdamW."""
    weight_decay: float = 0.0
    """Decoupled weight decay."""
    schedule: Literal["linear", "constant"] = "linear"
    """After the warm-up. linear: falling to zero at the end. constant."""
    warmup: float = 0.1
    """Share of the steps in which the rate rises linearly."""
    gradient_clipping: float = 1.0
    """Largest global gradient norm."""
    precision: Precision = "auto"
    """auto takes bfloat16 where the machine computes in it, else float32."""
    evaluation_tokens: int = incidental(8192)
    """Tokens in one batch of measurement, padding and what is generated included."""
    checkpoint_every: int = incidental(50)
    """Steps between two checkpoints."""
    checkpoints_kept: int = incidental(2)
    """Checkpoints that are kept: so many of the newest, and the best."""
    log_every: int = incidental(0)
    """Steps between two lines of the log; 0 is every step on CPUs and every tenth on GPUs, which a line waits for."""


@dataclass(frozen=True)
class Dpo(Align):
    """Pairs of a preferred and another answer to a model that prefers alike (Rafailov et al., 2023)."""

    data: str = ""
    """Where pairs come from: columns prompt, chosen and rejected, each a text or messages. Empty: no such stage."""
    global_batch: int = 16
    """Pairs in one optimiser step, over all processes."""
    beta: float = 0.1
    """How strongly the model is held to where it starts."""
    max_tokens: int = 256
    """Longest prompt with an answer, in tokens; longer ones lose their end."""


@dataclass(frozen=True)
class Grpo(Align):
    """Problems with checked answers to a model that answers more of them (Shao et al., 2024)."""

    data: tuple[str, ...] = ()
    """Where problems come from: reasoning-gym:NAME, or rows with question and answer. Empty: no such stage."""
    problems: int = 1000
    """How many are taken of each source, equal questions included."""
    evaluation_problems: int = 200
    """How many of them are kept from training and measured on, at most a half."""
    instruction: str = ""
    """The system message before each problem."""
    global_batch: int = 32
    """Answers in one optimiser step, over all processes and problems."""
    generations: int = 8
    """Answers to each problem, which are compared with each other."""
    temperature: float = 1.0
    """Of the answers in training; measured are the greedy ones."""
    max_new_tokens: int = 64
    """Longest answer, in tokens."""


@dataclass(frozen=True)
class Watch:
    """What is measured of trainings, and where it is told. It changes no result, so it is part of no fingerprint."""

    report_to: tuple[str, ...] = ()
    """Experiment trackers that transformers knows, beside the log: tensorboard, trackio and others."""
    energy: bool = True
    """Measure energy, where CodeCarbon is installed."""
    country: str = ""
    """Where the machine is (ISO 3166-1, three letters, such as FRA); with it energy is told as CO₂ too."""
    hung_after: float = 1800.0
    """Seconds without a step after which a training in several processes counts as hung, and ends; 0 waits on."""
    peak_teraflops: float = 0.0
    """Peak of one device in 10¹² FLOP/s, for model FLOPs utilisation; 0 takes its data sheet, or measures it."""


@dataclass(frozen=True)
class Plan:
    """What groundup plan reckons with. It changes no result, so it is part of no fingerprint."""

    processes: int = 0
    """Processes that will train; 0 is as many as this launch has."""
    utilisation: float = 0.4
    """Share of its peak that training is taken to reach on machines that cannot be measured here."""
    prices: tuple[str, ...] = ()
    """Price of an hour, in your currency, by the machines of the plan's table: here=0.40 h100=2.50 8xh100=20."""


@dataclass(frozen=True)
class Rung:
    """A step in the history of language models: what a model of it is, where text and budget are those of all.

    Steps, batch, context and schedule are the recipe's own, so that every rung is trained on the same tokens.
    """

    year: int = 2020
    """When it was published; rungs stand in this order."""
    paper: str = ""
    """Who described it."""
    changed: str = ""
    """What was new, in a few words."""
    model: Model = Model()
    objective: str = "causal"
    """What it learns (docs/training.md): causal, masked, span-corruption or replaced-token."""
    corruption: Corruption = Corruption()
    optimizer: Optimizer = "muon"
    """muon: Muon for matrices inside the layers, AdamW for the rest. adamw, schedule-free: that for everything."""
    learning_rate: float = 0.0
    """Peak rate of AdamW; 0 lets the model's size and the tokens decide."""
    muon_learning_rate: float = 0.02
    """Peak rate of Muon."""


@dataclass(frozen=True)
class Recipe:
    """What to train, from the text to the tasks."""

    name: str = "unnamed"
    """Directory of the run below the runs directory."""
    seed: int = 0
    """Seed of every split, shuffle and initialisation."""
    held_out: float = 0.05
    """Share of all data, by document, country or module, that nothing is trained on."""
    language: str = "en"
    """Language of the text (ISO 639-1), for the model card."""
    corpus: Corpus = Corpus()
    tokenizer: Tokenizer = Tokenizer()
    executor: Executor = Executor()
    model: Model = Model()
    pretrain: Pretrain = Pretrain()
    watch: Watch = Watch()
    plan: Plan = Plan()
    tasks: Mapping[str, Finetune] = field(default_factory=dict)
    dpo: Dpo = Dpo()
    grpo: Grpo = Grpo()
    lineage: Mapping[str, Rung] = field(default_factory=dict)

    def of_rung(self, name: str) -> Recipe:
        """The recipe of one rung: its model, trained on this text with this budget, and fine-tuned for these tasks."""
        rung = self.lineage[name]
        return replace(
            self,
            name=name,
            model=replace(rung.model, context=self.model.context),
            pretrain=replace(
                self.pretrain,
                objective=rung.objective,
                corruption=rung.corruption,
                optimizer=rung.optimizer,
                learning_rate=rung.learning_rate,
                muon_learning_rate=rung.muon_learning_rate,
            ),
            dpo=Dpo(),
            grpo=Grpo(),
            lineage={},
        )
