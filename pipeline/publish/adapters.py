"""An adapter alone as a repository of the Hub: its files, what its base has to be told, and code that joins them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pipeline.artifacts import Artifact, read_json
from pipeline.errors import GroundupError
from pipeline.model.adapters import ADAPTER
from pipeline.publish.permission import check_name

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_BASE = "base_model_name_or_path"

_LOAD = """\
from peft import PeftModel
from transformers import AutoConfig, HEAD, AutoTokenizer

tokenizer, config = AutoTokenizer.from_pretrained("REPO"), AutoConfig.from_pretrained("REPO")
config.vocab_size = AutoConfig.from_pretrained("BASE").vocab_size
base = HEAD.from_pretrained("BASE", config=config)
if len(tokenizer) > config.vocab_size:
    base.resize_token_embeddings(len(tokenizer))
model = PeftModel.from_pretrained(base, "REPO").merge_and_unload()
"""
_GENERATES = """\
model.generation_config = GenerationConfig.from_pretrained("REPO")
"""


def has_adapter(artifact: Artifact) -> bool:
    """Whether a stage holds an adapter apart."""
    return f"{ADAPTER}/{WEIGHTS}" in artifact.manifest().get("files", ())


def base_of(artifact: Artifact, named: str) -> str:
    """The Hub's name of the model that an adapter stands on.

    Args:
        artifact: of the adapter.
        named: what a user says it is; empty takes what the adapter says.

    Raises:
        GroundupError: when it stands on a model of this machine and nobody said where on the Hub that is.
    """
    if named:
        check_name(named)
        return named
    base = str(read_json(artifact.path / ADAPTER / CONFIG).get(_BASE, ""))
    if Path(base).is_absolute() or Path(base).exists() or not base:
        raise GroundupError(
            str(artifact.path / ADAPTER),
            "it stands on a model of this machine, which nobody else finds",
            "publish that one first and name it with --base user/name; or publish the merged model: groundup merge",
        )
    return base


def adapter_files(artifact: Artifact, base: str) -> dict[str, Path | bytes]:
    """The adapter's own files; its configuration names the base as the Hub does."""
    config = {**read_json(artifact.path / ADAPTER / CONFIG), _BASE: base}
    content = (json.dumps(config, indent=2, ensure_ascii=False) + "\n").encode()
    return {CONFIG: content, WEIGHTS: artifact.path / ADAPTER / WEIGHTS}


def joined_usage(code: str, repo: str, base: str, head: str, generates: bool) -> str:
    """Python that runs an adapter on its base, from that which runs a whole model of the same kind.

    Args:
        code: that loads ``repo`` as a whole model.
        repo: of the adapter.
        base: of the model.
        head: the auto class.
        generates: whether a way of generating is published with it.
    """
    load = _LOAD + (_GENERATES if generates else "")
    if generates:
        load = load.replace(
            "AutoConfig, HEAD, AutoTokenizer", "AutoConfig, HEAD, AutoTokenizer, GenerationConfig"
        )
    load = load.replace("HEAD", head).replace("REPO", repo).replace("BASE", base)
    kept = [
        line
        for line in code.replace(f'model="{repo}"', "model=model, tokenizer=tokenizer").splitlines()
        if not re.match(r"(model|tokenizer) = \w+\.from_pretrained\(", line)
    ]
    imports = [line for line in kept if re.match(r"(from|import) ", line) and "AutoTokenizer" not in line]
    rest = [line for line in kept if not re.match(r"(from|import) ", line)]
    return "\n".join([*imports, load + "\n".join(rest).lstrip("\n")]) + "\n"
