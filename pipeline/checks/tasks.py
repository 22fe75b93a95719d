"""Fine-tunings that cannot be."""

from __future__ import annotations

from pipeline.checks.adapters import check_adapter
from pipeline.checks.privacy import check_privacy
from pipeline.checks.refusal import require
from pipeline.checks.training import check_training
from pipeline.errors import shown
from pipeline.recipe import Finetune


def check_task(section: str, settings: Finetune) -> None:
    """Refuse settings of one task.

    Raises:
        GroundupError: naming the setting and what to do.
    """
    check_training(section, settings)
    check_adapter(section, settings)
    check_privacy(section, settings)
    require(settings.steps > 0, f"{section}.steps", "0 steps train nothing", "use 1 or more")
    require(settings.passes >= 0, f"{section}.passes", f"{settings.passes} is negative", "use 1 or more")
    require(
        settings.skip_bad_rows >= 0,
        f"{section}.skip-bad-rows",
        f"{settings.skip_bad_rows} is negative",
        "use 0 or more",
    )
    require(settings.global_batch > 0, f"{section}.global-batch", "0 examples are none", "use 1 or more")
    require(
        1 <= settings.n_best <= 20,
        f"{section}.n-best",
        f"{settings.n_best} is no number of answers to write down",
        "use one from 1 to 20",
    )
    require(
        settings.learning_rate == "auto" or settings.learning_rate > 0,
        f"{section}.learning-rate",
        f"{settings.learning_rate} teaches nothing",
        "use a positive rate, such as 5e-4, or auto",
    )
    _check_classification(section, settings)
    _check_writing(section, settings)


def _check_classification(section: str, settings: Finetune) -> None:
    require(
        settings.long_texts == "head-tail" or not settings.pair_column,
        f"{section}.long-texts",
        f"{settings.long_texts} is for single texts; of a pair the longer text is cut at its end",
        "leave it out, or --pair-column",
    )
    require(
        bool(settings.label_separator),
        f"{section}.label-separator",
        "labels with nothing between them cannot be told apart",
        "use one such as ,",
    )
    names = settings.label_names
    require(
        all(name.strip() for name in names) and len(set(names)) == len(names),
        f"{section}.label-names",
        "a name is empty or there twice",
        "give every label a name of its own",
    )
    require(
        len(names) != 1 or settings.problem == "labels",
        f"{section}.label-names",
        f"'{shown(''.join(names))}' alone is nothing to choose from",
        "name all labels, or none to read them from the data",
    )
    grades = settings.problem in ("grades", "ordinal")
    for name in ("label_names", "choose_threshold") if grades else ():
        require(
            not getattr(settings, name),
            f"{section}.{name.replace('_', '-')}",
            "grades are numbers and no classes",
            f"leave it out, or set --{section}.problem classes",
        )
    require(
        settings.class_weights == "none" or not grades,
        f"{section}.class-weights",
        "grades are numbers and no classes",
        f"leave it at none, or set --{section}.problem classes",
    )


def _check_writing(section: str, settings: Finetune) -> None:
    require(
        bool(settings.beams) and min(settings.beams) >= 1,
        f"{section}.beams",
        f"{settings.beams} are no numbers of beams",
        "use 1 for greedy decoding, or several to choose from, such as 1 4",
    )
    require(
        bool(settings.length_penalties),
        f"{section}.length-penalties",
        "there is none to choose from",
        "use 1.0, or several, such as 0.6 1.0 1.4",
    )
    require(
        settings.temperature >= 0,
        f"{section}.temperature",
        f"{settings.temperature} is negative",
        "use a positive one, such as 0.7, or 0 to save none",
    )
    require(
        0 < settings.top_p <= 1,
        f"{section}.top-p",
        f"{settings.top_p} is no share",
        "use one above 0, at most 1",
    )
    require(
        settings.top_p == 1 or settings.temperature > 0,
        f"{section}.top-p",
        "without a temperature nothing is sampled",
        f"set --{section}.temperature too",
    )
