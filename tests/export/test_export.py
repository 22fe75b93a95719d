"""Exports of a finished run: each is the model, or there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import EXPORT, MANIFEST, Artifact, read_json, write_json
from pipeline.cli import main
from pipeline.errors import GroundupError
from pipeline.export.check import TOLERANCE
from pipeline.export.export import export, place_of
from pipeline.export.formats import FORMATS, Format, formats_named
from pipeline.export.formats.gguf import Gguf
from pipeline.export.formats.onnx import Onnx
from pipeline.recipe_files import load_recipe
from pipeline.stages import Run

pytestmark = pytest.mark.skipif(find_spec("torchao") is None, reason="int8 needs make setup-torchao")

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def run(whole_run: Path, tiny: Path) -> Run:
    return Run(load_recipe(str(tiny)), whole_run)


@pytest.fixture(scope="module")
def classifier(run: Run) -> list[Artifact]:
    return export(run, "sentiment", ["onnx", "int8", "nf4"])


def _row(artifact: Artifact) -> dict[str, Any]:
    return artifact.metrics()[artifact.path.name]


def _command(run: Run, tiny: Path, *words: str) -> int:
    return main(["export", "--recipe", str(tiny), "--runs", str(run.runs), *words])


def test_a_classifier_s_exports_say_what_it_says(run: Run, classifier: list[Artifact]) -> None:
    made = run.artifact("finetune/sentiment").metrics()["model"]
    for artifact in classifier:
        original, row = artifact.metrics()["original"], _row(artifact)
        assert artifact.is_complete(artifact.fingerprint())
        assert original["accuracy"] == pytest.approx(made["accuracy"])
        assert row["accuracy"] == pytest.approx(made["accuracy"], abs=0.05)
        assert row["agreement"] > 0.9 and row["same_tokens"] == 1
        assert row["examples_per_second"] > 0 and original["examples_per_second"] > 0
        config = read_json(artifact.path / "config.json")
        assert config["id2label"] == {"0": "negative", "1": "positive"}
    onnx, int8, nf4 = map(_row, classifier)
    assert onnx["largest_difference"] < TOLERANCE / 10 and onnx["agreement"] == 1
    assert onnx["ratio"] == pytest.approx(1, abs=0.1)
    assert 0 < int8["largest_difference"] < nf4["largest_difference"]
    assert nf4["bytes"] < int8["bytes"] < 0.5 * original["bytes"]


def test_its_graph_tells_nothing_of_this_machine(run: Run, classifier: list[Artifact]) -> None:
    content = (classifier[0].path / "model.onnx").read_bytes()
    assert b"site-packages" not in content and str(Path(__file__).parent).encode() not in content


def test_what_is_there_is_not_made_again(run: Run, classifier: list[Artifact], capsys: Capsys) -> None:
    before = [(a.path / "config.json").stat().st_mtime_ns for a in classifier]
    assert [a.path for a in export(run, "sentiment", ["onnx", "int8", "nf4"])] == [a.path for a in classifier]
    assert [(a.path / "config.json").stat().st_mtime_ns for a in classifier] == before
    assert capsys.readouterr().out.count("done before") == 3


def test_spans_are_the_same(run: Run) -> None:
    onnx, int8 = export(run, "qa", ["onnx", "int8"])
    made = run.artifact("finetune/qa").metrics()["model"]
    assert onnx.metrics()["original"]["f1"] == pytest.approx(made["f1"])
    assert _row(onnx)["f1"] == pytest.approx(made["f1"]) and _row(onnx)["agreement"] == 1
    assert _row(onnx)["largest_difference"] < TOLERANCE and _row(int8)["ratio"] < 0.5


def test_the_command_makes_all_it_can_and_says_the_rest(run: Run, tiny: Path, capsys: Capsys) -> None:
    assert _command(run, tiny, "--task", "translation", "--limit", "4") == 0
    out = capsys.readouterr().out
    made = {path.name: Artifact(path) for path in (run.path / EXPORT / "translation").iterdir()}
    assert all(artifact.is_complete(artifact.fingerprint()) for artifact in made.values())
    assert set(made) == set(FORMATS) - {"int4"}
    assert (
        "left out: int4: torchao has its 4 bits only on GPUs" in out
        and "Compared on 4 held-out examples." in out
    )
    for name in ("onnx", "gguf"):
        assert _row(made[name])["largest_difference"] < TOLERANCE and _row(made[name])["agreement"] == 1
        assert _row(made[name])["chrf"] == pytest.approx(made[name].metrics()["original"]["chrf"])
    sizes = {name: _row(artifact)["bytes"] for name, artifact in made.items()}
    assert sizes["gguf-q4"] < sizes["gguf-q8"] < 0.4 * sizes["gguf"]
    assert "examples_per_second" in _row(made["onnx"]) and "examples_per_second" not in _row(made["gguf"])


def test_the_pretrained_model_by_its_bits(run: Run) -> None:
    onnx, gguf, int8 = export(run, "", ["onnx", "gguf", "int8"])
    made = run.artifact("pretrain").metrics()["model"]
    assert onnx.path == run.path / "export" / "pretrain" / "onnx"
    for artifact in (onnx, gguf, int8):
        assert artifact.metrics()["original"]["bits_per_byte"] == pytest.approx(
            made["bits_per_byte"], rel=1e-3
        )
        assert _row(artifact)["bits_per_byte"] == pytest.approx(made["bits_per_byte"], rel=0.01)
    assert _row(gguf)["agreement"] == 1 and _row(onnx)["largest_difference"] < TOLERANCE


def test_replies_of_a_chat_model(run: Run) -> None:
    (gguf,) = export(run, "chat", ["gguf"], limit=6)
    assert _row(gguf)["agreement"] == 1 and _row(gguf)["same_tokens"] == 1
    assert _row(gguf)["loss"] == pytest.approx(gguf.metrics()["original"]["loss"])


def test_an_aligned_model_by_the_bits_of_the_pretraining_text(run: Run) -> None:
    stage = run.artifact("align/dpo")  # what a tuning of no steps would leave
    shutil.copytree(run.artifact("finetune/chat").path, stage.path)
    write_json(stage.path / MANIFEST, {**stage.manifest(), "stage": "align/dpo"})
    (gguf,) = export(run, "dpo", ["gguf"], limit=4)
    assert gguf.path == run.path / "export" / "align" / "dpo" / "gguf"
    assert _row(gguf)["agreement"] == 1 and _row(gguf)["largest_difference"] == 0
    assert 0 < _row(gguf)["bits_per_byte"] == gguf.metrics()["original"]["bits_per_byte"]
    shutil.rmtree(run.path / "align")


class _Scaled(Onnx):
    """Writes one weight wrong."""

    name = "scaled"

    def write(self, original: Any, directory: Path, texts: Any) -> None:
        import onnx
        from onnx import numpy_helper

        super().write(original, directory, texts)
        graph = onnx.load(directory / "model.onnx")
        weights = next(w for w in graph.graph.initializer if len(w.dims) == 2 and min(w.dims) > 16)
        values = numpy_helper.to_array(weights).copy()
        values *= 1.05
        weights.CopyFrom(numpy_helper.from_array(values, weights.name))
        onnx.save(graph, directory / "model.onnx")


class _OneByte(Gguf):
    """One byte of a weight is another."""

    def write(self, original: Any, directory: Path, texts: Any) -> None:
        import gguf

        super().write(original, directory, texts)
        file = directory / "model.gguf"
        tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
        place = tensors["blk.0.ffn_up.weight"].data_offset + 3  # sign and exponent of the first number
        content = bytearray(file.read_bytes())
        content[place] ^= 0x42
        file.write_bytes(content)


class _NoNumbers(Gguf):
    """Not exact, and its weights are no numbers."""

    def write(self, original: Any, directory: Path, texts: Any) -> None:
        weight = original.model.get_input_embeddings().weight
        kept = weight.detach().clone()
        weight.data[:] = float("nan")
        super().write(original, directory, texts)
        weight.data[:] = kept


@pytest.fixture
def wrong(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a format that is written wrong."""
    made = request.param
    FORMATS[made.name] = made
    yield made.name
    del FORMATS[made.name]


@pytest.mark.parametrize(
    "wrong", [_Scaled(), _OneByte("onebyte", "F32"), _NoNumbers("nonumbers", "Q8_0")], indirect=True
)
def test_a_wrong_export_is_refused_and_nothing_is_kept(
    run: Run, tiny: Path, wrong: str, capsys: Capsys
) -> None:
    assert _command(run, tiny, "--format", wrong, "--limit", "3") == 2
    error = capsys.readouterr().err
    assert error.count("groundup: ") == 1 and "the largest difference of two logits is" in error
    place = run.artifact(f"{place_of('pretrain')}/{wrong}")
    assert not place.manifest().get("complete")
    assert not list(place.path.rglob("model.*"))


def test_an_unfinished_model_is_one_sentence(tiny: Path, tmp_path: Path, capsys: Capsys) -> None:
    assert main(["export", "--recipe", str(tiny), "--runs", str(tmp_path), "--task", "qa"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "run make finetune TASK=qa" in error


def test_a_damaged_model_is_one_sentence(run: Run, tiny: Path, capsys: Capsys) -> None:
    file = run.artifact("finetune/summarization").path / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert _command(run, tiny, "--task", "summarization", "--format", "int8") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "it is not the file that the finished stage wrote" in error
    content[-1] ^= 1
    file.write_bytes(content)


def test_a_misspelt_format_is_refused_with_the_nearest(run: Run, tiny: Path, capsys: Capsys) -> None:
    assert _command(run, tiny, "--format", "ggufq8") == 2
    assert "did you mean 'gguf-q8'?" in capsys.readouterr().err
    assert [f.name for f in formats_named(["int8", "onnx", "int8"])] == ["int8", "onnx"]


def test_a_format_that_the_model_has_not_is_refused_before_any_work(
    run: Run, tiny: Path, capsys: Capsys
) -> None:
    assert _command(run, tiny, "--task", "sentiment", "--format", "gguf", "onnx") == 2
    assert "is an AutoModelForSequenceClassification" in capsys.readouterr().err
    assert not (run.path / EXPORT / "sentiment" / "gguf").exists()


def test_a_missing_package_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gguf, "packages", {"there_is_no_such_module": "no-such-package"})
    with pytest.raises(GroundupError, match="no-such-package is not installed; run make setup"):
        export(run, "", ["gguf-q4"], limit=1)


def test_a_format_from_outside_the_package(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stock(Format):
        """Nothing but the stock model once more."""

        name = "stock"
        exact = True

        def write(self, original: Any, directory: Path, texts: Any) -> None:
            original.model.save_pretrained(directory)
            original.save_settings(directory)

        def model(self, directory: Path, head: str) -> Any:
            from pipeline.model.published import load_model

            return load_model(str(directory), head)

    monkeypatch.setitem(FORMATS, "stock", Stock())
    (made,) = export(run, "sentiment", ["stock"])
    assert _row(made)["largest_difference"] == 0 and _row(made)["ratio"] == pytest.approx(1)
