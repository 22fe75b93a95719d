"""Artefacts of a run that are no stages: made on demand of a model that is there, with a manifest like any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.artifacts import Artifact
from pipeline.processes import world_size
from pipeline.provenance import provenance

Rows = dict[str, dict[str, Any]]
"""What becomes metrics.json."""

_NONE: Mapping[str, str] = {}


def make_aside(
    out: Artifact, facts: Mapping[str, Any], work: Callable[[], Rows], versions: Mapping[str, str] = _NONE
) -> None:
    """Make one, alone at work on its directory; its manifest is complete when all else is written.

    Args:
        out: where it goes.
        facts: of its manifest: stage, recipe, fingerprint, seed, settings, data, inputs.
        work: writes its files.
        versions: of libraries that stages do not name.
    """
    with out.locked():
        began, started = provenance(), time.monotonic()
        manifest = {
            **facts,
            "processes": world_size(),
            **began,
            "versions": {**began["versions"], **versions},
        }
        out.begin(manifest)
        rows = work()
        timings = {"timings": {"seconds": round(time.monotonic() - started, 1)}}
        out.finish({**manifest, **timings}, rows)
