"""What cannot be measured or told of a training."""

from __future__ import annotations

import importlib.util

from pipeline.checks.refusal import require
from pipeline.errors import nearest, shown
from pipeline.recipe import Watch


def check_watch(watch: Watch) -> None:
    """Refuse what is not known or not installed here."""
    require(
        watch.peak_teraflops >= 0,
        "watch.peak-teraflops",
        f"{watch.peak_teraflops} is negative",
        "use the data sheet's number, or 0 to let it be found",
    )
    require(
        watch.hung_after >= 0,
        "watch.hung-after",
        f"{watch.hung_after} is negative",
        "use seconds, such as 1800, or 0 to wait for ever",
    )
    if watch.country:
        _check_country(watch.country)
    if watch.report_to:
        _check_trackers(watch.report_to)


def _check_country(country: str) -> None:
    is_code = len(country) == 3 and country.isascii() and country.isalpha() and country.isupper()
    require(
        is_code,
        "watch.country",
        f"'{shown(country)}' is no code of three letters",
        "use one such as FRA, USA or CHN",
    )
    if importlib.util.find_spec("codecarbon"):
        from codecarbon.input import DataSource

        known = DataSource().get_global_energy_mix_data()
        require(
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
        require(
            name in INTEGRATION_TO_CALLBACK,
            "watch.report-to",
            f"transformers knows no tracker '{shown(name)}'",
            nearest(name, INTEGRATION_TO_CALLBACK),
        )
        require(
            name != "codecarbon",
            "watch.report-to",
            "codecarbon measures energy and is no tracker",
            "leave it out: energy is measured unless you say --watch.no-energy",
        )
        require(name in installed, "watch.report-to", f"{name} is not installed", f"pip install {name}")
