"""Impossible combinations of settings, refused before any work begins."""

from __future__ import annotations

import importlib.util

from pipeline.errors import GroundupError, nearest
from pipeline.model.adapter_settings import check_adapter
from pipeline.model.dial import shape_of
from pipeline.model.families import STOCK, check_family
from pipeline.recipe import Dpo, Finetune, Grpo, Model, Pretrain, Recipe, Watch


def check(recipe: Recipe) -> None:
    """Refuse impossible combinations before any work.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    _check_training("pretrain", recipe.pretrain)
    _check_pretraining(recipe)
    _check_schedule(recipe.pretrain)
    _check_watch(recipe.watch)
    for task, settings in recipe.tasks.items():
        _check_training(f"tasks.{task}", settings)
        check_adapter(f"tasks.{task}", settings)
        _require(settings.steps > 0, f"tasks.{task}.steps", "0 steps train nothing", "use 1 or more")
        _require(
            settings.passes >= 0, f"tasks.{task}.passes", f"{settings.passes} is negative", "use 1 or more"
        )
        _require(
            settings.global_batch > 0, f"tasks.{task}.global-batch", "0 examples are none", "use 1 or more"
        )
        _require(
            1 <= settings.n_best <= 20,
            f"tasks.{task}.n-best",
            f"{settings.n_best} is no number of answers to write down",
            "use one from 1 to 20",
        )
        _require(
            settings.learning_rate == "auto" or settings.learning_rate > 0,
            f"tasks.{task}.learning-rate",
            f"{settings.learning_rate} teaches nothing",
            "use a positive rate, such as 5e-4, or auto",
        )
        _check_classification(f"tasks.{task}", settings)
        _check_writing(f"tasks.{task}", settings)
    _check_aligning("dpo", recipe.dpo)
    _check_aligning("grpo", recipe.grpo)
    _check_rewards(recipe.grpo)
    _require(
        0 < recipe.held_out < 0.9,
        "held-out",
        f"{recipe.held_out} is no share",
        "use one between 0 and 0.9, such as 0.05",
    )
    _require(
        0 <= recipe.corpus.near_duplicates < 1,
        "corpus.near-duplicates",
        f"{recipe.corpus.near_duplicates} is no similarity",
        "use one between 0 and 1, such as 0.7",
    )
    _require(
        len(recipe.corpus.weights) in (0, len(recipe.corpus.sources)),
        "corpus.weights",
        f"{len(recipe.corpus.weights)} weights for {len(recipe.corpus.sources)} sources",
        "give one for each source",
    )
    _require(
        not recipe.corpus.weights or len(set(recipe.corpus.sources)) == len(recipe.corpus.sources),
        "corpus.sources",
        "a source is named twice and has two weights",
        "name each source once",
    )
    _require(
        all(weight > 0 for weight in recipe.corpus.weights),
        "corpus.weights",
        "a weight of 0 or less reads nothing",
        "use positive weights, or leave the source out",
    )
    _require(
        0 < recipe.corpus.near_false_positives < 1,
        "corpus.near-false-positives",
        f"{recipe.corpus.near_false_positives} is no chance",
        "use one between 0 and 1, such as 0.02",
    )
    _require(
        recipe.corpus.longest_document >= recipe.corpus.minimum_characters,
        "corpus.longest-document",
        f"{recipe.corpus.longest_document} is below the {recipe.corpus.minimum_characters} of minimum-characters",
        "use a greater one",
    )
    _require(
        recipe.executor.kind != "slurm" or bool(recipe.executor.partition),
        "executor.partition",
        "a Slurm cluster needs one",
        "name it (sinfo lists them)",
    )
    _require(
        recipe.tokenizer.vocabulary >= 300 or recipe.tokenizer.vocabulary == 0,
        "tokenizer.vocabulary",
        f"{recipe.tokenizer.vocabulary} is too small",
        "bytes and special tokens alone take 300; use at least that, or 0 for what suits the model",
    )
    _check_model(recipe.model)
    trains = recipe.pretrain.steps > 0 or not recipe.model.start
    _require(
        bool(recipe.corpus.sources) or not trains,
        "corpus.sources",
        "there is no text to train on",
        "name a file, a directory, package:NAME or hub:OWNER/NAME",
    )


def _require(holds: bool, setting: str, what: str, remedy: str) -> None:
    if not holds:
        raise GroundupError(f"--{setting}", what, remedy)


def _check_model(model: Model) -> None:
    layers = 1 if isinstance(model.depth, str) else model.depth
    _require(layers >= 1, "model.depth", f"{layers} layers", "use at least 1")
    for name in ("width", "heads", "kv_heads", "context"):
        flag = f"model.{name.replace('_', '-')}"
        _require(getattr(model, name) >= 0, flag, "it is negative", "use 1 or more, or 0 for the dial's own")
    _require(
        model.heads > 0 or model.width % 64 == 0,
        "model.width",
        f"{model.width} does not divide into heads of 64",
        "use a multiple of 64, or 0 for the dial's own, or set --model.heads",
    )
    shape = shape_of(model)
    _require(
        shape.width % (2 * shape.heads) == 0,
        "model.heads",
        f"a width of {shape.width} does not divide into {shape.heads} heads of an even width",
        "use a divisor of half the width, or 0 for heads of 64",
    )
    _require(
        shape.heads % shape.kv_heads == 0,
        "model.kv-heads",
        f"{shape.heads} heads do not divide into {shape.kv_heads} groups",
        f"use a divisor of {shape.heads}, or 0 for as many",
    )
    _require(shape.context >= 16, "model.context", f"{shape.context} tokens are too few", "use at least 16")
    if not model.start and (model.family not in STOCK or model.kv_heads):
        check_family(model)


def _check_pretraining(recipe: Recipe) -> None:
    settings = recipe.pretrain
    _require(
        settings.global_batch >= 0,
        "pretrain.global-batch",
        f"{settings.global_batch} is negative",
        "use 1 or more, or 0 for what suits the model's size",
    )
    _require(
        settings.learning_rate >= 0,
        "pretrain.learning-rate",
        f"{settings.learning_rate} is negative",
        "use a positive rate, such as 1e-3, or 0 for what suits the model's size",
    )
    _require(
        settings.tokens_per_parameter > 0,
        "pretrain.tokens-per-parameter",
        f"{settings.tokens_per_parameter} tokens train nothing",
        "use a positive number, such as 20",
    )
    _require(
        settings.z_loss >= 0,
        "pretrain.z-loss",
        f"{settings.z_loss} would reward what it is there to hold down",
        "use 0 for none, or a small weight such as 1e-4",
    )
    for name in ("learning_rate", "global_batch") if recipe.model.start and settings.steps else ():
        _require(
            getattr(settings, name) > 0,
            f"pretrain.{name.replace('_', '-')}",
            "for published weights no rule decides it",
            "set it",
        )


def _check_training(section: str, training: Pretrain | Finetune) -> None:
    micro = training.micro_batch
    _require(training.steps >= 0, f"{section}.steps", f"{training.steps} is negative", "use 1 or more")
    _require(micro > 0, f"{section}.micro-batch", f"{micro} is too few", "use 1 or more")
    _require(
        0 <= training.warmup <= 1,
        f"{section}.warmup",
        f"{training.warmup} is no share",
        "use one between 0 and 1",
    )
    _require(
        training.muon_learning_rate > 0,
        f"{section}.muon-learning-rate",
        f"{training.muon_learning_rate} teaches nothing",
        "use a positive rate, such as 0.02",
    )
    _require(
        all(0 <= beta < 1 for beta in training.betas),
        f"{section}.betas",
        f"{training.betas} keep all or more of an average",
        "use two from 0 to below 1, such as 0.9 0.95",
    )
    _require(
        training.optimizer != "schedule-free" or training.schedule == "constant",
        f"{section}.schedule",
        f"schedule-free averages the weights instead of lowering the rate, which {training.schedule} does",
        f"add --{section}.schedule constant, or take another optimizer",
    )


def _check_classification(section: str, settings: Finetune) -> None:
    _require(
        settings.long_texts == "head-tail" or not settings.pair_column,
        f"{section}.long-texts",
        f"{settings.long_texts} is for single texts; of a pair the longer text is cut at its end",
        "leave it out, or --pair-column",
    )
    _require(
        bool(settings.label_separator),
        f"{section}.label-separator",
        "labels with nothing between them cannot be told apart",
        "use one such as ,",
    )
    grades = settings.problem == "grades"
    for name in ("label_names", "choose_threshold") if grades else ():
        _require(
            not getattr(settings, name),
            f"{section}.{name.replace('_', '-')}",
            "grades are numbers and no classes",
            f"leave it out, or set --{section}.problem classes",
        )
    _require(
        settings.class_weights == "none" or not grades,
        f"{section}.class-weights",
        "grades are numbers and no classes",
        f"leave it at none, or set --{section}.problem classes",
    )


def _check_writing(section: str, settings: Finetune) -> None:
    _require(
        bool(settings.beams) and min(settings.beams) >= 1,
        f"{section}.beams",
        f"{settings.beams} are no numbers of beams",
        "use 1 for greedy decoding, or several to choose from, such as 1 4",
    )
    _require(
        bool(settings.length_penalties),
        f"{section}.length-penalties",
        "there is none to choose from",
        "use 1.0, or several, such as 0.6 1.0 1.4",
    )
    _require(
        settings.temperature >= 0,
        f"{section}.temperature",
        f"{settings.temperature} is negative",
        "use a positive one, such as 0.7, or 0 to save none",
    )
    _require(
        0 < settings.top_p <= 1,
        f"{section}.top-p",
        f"{settings.top_p} is no share",
        "use one above 0, at most 1",
    )
    _require(
        settings.top_p == 1 or settings.temperature > 0,
        f"{section}.top-p",
        "without a temperature nothing is sampled",
        f"set --{section}.temperature too",
    )


def _check_aligning(section: str, align: Dpo | Grpo) -> None:
    for name in ("steps", "global_batch", "micro_batch", "learning_rate"):
        value = getattr(align, name)
        _require(
            value > 0, f"{section}.{name.replace('_', '-')}", f"{value} trains nothing", "use a positive one"
        )
    _require(
        0 <= align.warmup <= 1,
        f"{section}.warmup",
        f"{align.warmup} is no share",
        "use one between 0 and 1",
    )
    if isinstance(align, Dpo):
        _require(
            align.beta > 0, "dpo.beta", f"{align.beta} rewards nothing", "use a positive one, such as 0.1"
        )


def _check_rewards(grpo: Grpo) -> None:
    _require(
        grpo.generations > 1,
        "grpo.generations",
        f"{grpo.generations} cannot be compared with each other",
        "use 2 or more",
    )
    _require(
        grpo.global_batch % max(1, grpo.generations) == 0,
        "grpo.global-batch",
        f"{grpo.global_batch} answers are no whole number of problems with {grpo.generations} each",
        f"use a multiple of {grpo.generations}",
    )
    _require(
        grpo.temperature > 0,
        "grpo.temperature",
        f"{grpo.temperature} gives the same answer every time",
        "use a positive one, such as 1",
    )


def _check_schedule(pretrain: Pretrain) -> None:
    _require(
        0 <= pretrain.decay <= 1, "pretrain.decay", f"{pretrain.decay} is no share", "use one between 0 and 1"
    )
    _require(
        pretrain.schedule != "wsd" or pretrain.warmup + pretrain.decay <= 1,
        "pretrain.decay",
        f"a warm-up of {pretrain.warmup} and a decay of {pretrain.decay} are more than all steps",
        f"use a decay of at most {1 - pretrain.warmup:g}",
    )
    _require(
        0 <= pretrain.final_rate <= 1,
        "pretrain.final-rate",
        f"{pretrain.final_rate} is no share of the peak rate",
        "use one between 0 and 1, such as 0.1",
    )
    _require(
        pretrain.final_rate == 0 or pretrain.schedule in ("wsd", "cosine"),
        "pretrain.final-rate",
        f"{pretrain.schedule} does not end at a rate of one's choice",
        "leave it at 0, or use wsd or cosine",
    )


def _check_watch(watch: Watch) -> None:
    _require(
        watch.peak_teraflops >= 0,
        "watch.peak-teraflops",
        f"{watch.peak_teraflops} is negative",
        "use the data sheet's number, or 0 to let it be found",
    )
    if watch.country:
        _check_country(watch.country)
    if watch.report_to:
        _check_trackers(watch.report_to)


def _check_country(country: str) -> None:
    is_code = len(country) == 3 and country.isascii() and country.isalpha() and country.isupper()
    _require(
        is_code,
        "watch.country",
        f"'{country}' is no code of three letters",
        "use one such as FRA, USA or CHN",
    )
    if importlib.util.find_spec("codecarbon"):
        from codecarbon.input import DataSource

        known = DataSource().get_global_energy_mix_data()
        _require(
            country in known,
            "watch.country",
            f"the carbon intensity of '{country}' is not known",
            nearest(country, known),
        )


def _check_trackers(names: tuple[str, ...]) -> None:
    # transformers takes a second to import; it is asked only when trackers are named.
    from transformers.integrations import get_available_reporting_integrations
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    installed = get_available_reporting_integrations()
    for name in names:
        _require(
            name in INTEGRATION_TO_CALLBACK,
            "watch.report-to",
            f"transformers knows no tracker '{name}'",
            nearest(name, INTEGRATION_TO_CALLBACK),
        )
        _require(
            name != "codecarbon",
            "watch.report-to",
            "codecarbon measures energy and is no tracker",
            "leave it out: energy is measured unless you say --watch.no-energy",
        )
        _require(name in installed, "watch.report-to", f"{name} is not installed", f"pip install {name}")
