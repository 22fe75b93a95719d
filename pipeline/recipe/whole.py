"""The whole recipe, and what concerns all of its stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pipeline.recipe.aligning import Dpo, Grpo
from pipeline.recipe.finetuning import Finetune
from pipeline.recipe.pretraining import Corruption, Model, Optimizer, Pretrain
from pipeline.recipe.text import Corpus, Executor, Tokenizer


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
