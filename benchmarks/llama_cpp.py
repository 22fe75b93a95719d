"""GGUF exports in llama.cpp itself, beside transformers: benchmarks/results/llama_cpp.json and docs/exporting.md.

    .venv/bin/python -m benchmarks.llama_cpp LLAMA_CPP runs/quickstart

LLAMA_CPP is its source, with its libraries in ``build/bin``: cmake -B build && cmake --build build --target llama. Each
``gguf…`` in the run's ``export`` is asked for the tokens of held-out texts and for the logits after the last of them.
Small models of every family that GGUF is written of, with random weights, are asked the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, write_between
from pipeline.artifacts import read_json, write_json
from pipeline.export.formats import FORMATS
from pipeline.export.formats.gguf import FAMILIES, FILE
from pipeline.export.original import WRITER, Original
from pipeline.provenance import describe_hardware, hardware

RESULTS = ROOT / "benchmarks" / "results" / "llama_cpp.json"
PAGE = ROOT / "docs" / "exporting.md"
TEXTS, LONGEST = 20, 200
"""Held-out texts, and their characters."""


def compiled(source: Path, place: Path) -> Path:
    """The program that asks llama.cpp."""
    program, libraries = place / "ask", source / "build" / "bin"
    include = [f"-I{source / 'include'}", f"-I{source / 'ggml' / 'include'}"]
    linked = [f"-L{libraries}", "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{libraries.absolute()}"]
    code = ROOT / "benchmarks" / "llama_cpp.cpp"
    compiler = shutil.which("g++") or "/usr/bin/g++"
    subprocess.run([compiler, "-O1", code, *include, *linked, "-o", program], check=True)
    return program


def asked(program: Path, directory: Path, texts: list[str]) -> dict[str, float]:
    """How llama.cpp and transformers agree on one file."""
    import torch

    given = "".join(f"{text}\0" for text in texts).encode()
    done = subprocess.run([program, directory / FILE], input=given, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    made = FORMATS["gguf"]
    model, tokenizer = made.model(directory, WRITER), made.tokenizer(directory)
    same, largest = 0, 0.0
    for number, text in enumerate(texts):
        tokens = [int(word) for word in lines[2 * number].split()]
        logits = torch.tensor([float(word) for word in lines[2 * number + 1].split()])
        same += tokens == tokenizer(text)["input_ids"]
        with torch.no_grad():
            own = model(torch.tensor([tokens])).logits[0, -1]
        largest = max(largest, float((logits - own).abs().max()))
    return {"same_tokens": same / len(texts), "largest_difference": largest}


def families(texts: list[str], place: Path) -> Iterator[tuple[str, Path]]:
    """Small models with random weights, written as GGUF."""
    import torch
    from transformers import AutoModelForCausalLM

    from pipeline.model.families import model_config, round_up
    from pipeline.recipe import Model, Tokenizer
    from pipeline.tokenizer.train import train_tokenizer

    tokenizer = train_tokenizer(texts * 5, Tokenizer(), 600, 256)
    for family in FAMILIES:
        torch.manual_seed(0)
        config = model_config(Model(family=family, depth=2, width=128, context=256), round_up(len(tokenizer)))
        model = AutoModelForCausalLM.from_config(config, dtype="float32").eval()
        directory = place / family
        directory.mkdir()
        FORMATS["gguf"].write(Original(family, model, tokenizer, WRITER, directory, None), directory, texts)
        yield f"{family}, random weights", directory


def main(source: str, run: str) -> None:
    """Ask, write down and print."""
    from pipeline.tokenizer.shards import corpus_files, read_texts

    files = corpus_files(Path(run) / "corpus" / "validation")
    texts = [text[:LONGEST] for _, text in zip(range(TEXTS), _each(read_texts(files[0])), strict=False)]
    exports = sorted((Path(run) / "export").rglob(FILE))
    with tempfile.TemporaryDirectory() as place:
        program = compiled(Path(source), Path(place))
        named = [(str(f.parent.relative_to(Path(run) / "export")), f.parent) for f in exports]
        there = [*named, *families(texts, Path(place))]
        found = {name: asked(program, directory, texts) for name, directory in there}
    results = {"machine": describe_hardware(hardware()), "texts": len(texts), "models": found}
    write_json(RESULTS, results)
    write_page(read_json(RESULTS))


def _each(batches: Iterator[list[str]]) -> Iterator[str]:
    for batch in batches:
        yield from batch


def write_page(results: dict[str, Any]) -> None:
    """Write the table into docs/exporting.md."""
    rows = [
        f"| {name} | {row['same_tokens']:.0%} | {row['largest_difference']:.1e} |"
        for name, row in results["models"].items()
    ]
    lines = [
        f"llama.cpp itself, asked for {results['texts']} held-out texts beside transformers on the same file, on "
        f"{results['machine']} (in 8 and 4 bits it rounds what goes through the layers too):",
        "",
        "| | texts with the same tokens | largest difference of logits |",
        "|---|---:|---:|",
        *rows,
    ]
    write_between(PAGE, "llama-cpp", "\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
