"""Encoder-decoders: the library's own loss in parts of a global batch, and what they learn and write."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    GenerationConfig,
    M2M100Config,
    MarianConfig,
    MarianTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    TrainerCallback,
)

from pipeline.artifacts import Artifact
from pipeline.model.published import load_tokenizer
from pipeline.recipe import Finetune, Watch
from pipeline.tasks import task_named
from pipeline.train.arguments import training_arguments
from pipeline.train.data.batches import MicroBatches, PadMicroBatch, longer_sides, training_order
from pipeline.train.finetune import finetune, trainer_for
from pipeline.train.optimizer import optimizer_factory
from pipeline.train.trainer import SequenceTrainer
from tests.train.small_training import PADDED_BY_ZERO, PLAIN

SMALL: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
    **dict.fromkeys(("dropout", "attention_dropout", "encoder_layerdrop", "decoder_layerdrop"), 0.0),
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "forced_eos_token_id": None,
}
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "dropout_rate": 0.0}
FAMILIES = {
    "bart": lambda size: BartConfig(vocab_size=size, **SMALL),
    "marian": lambda size: MarianConfig(vocab_size=size, decoder_vocab_size=size, **SMALL),
    "m2m_100": lambda size: M2M100Config(vocab_size=size, **SMALL),
    "t5": lambda size: T5Config(vocab_size=size, decoder_start_token_id=0, **T5),
    "t5 untied": lambda size: T5Config(
        vocab_size=size, decoder_start_token_id=0, tie_word_embeddings=False, **T5
    ),
}
STEPS, GLOBAL_BATCH = 2, 6


class Gradient(TrainerCallback):
    """Copies of the gradients of every step; some positions are fixed and have none."""

    def __init__(self) -> None:
        self.steps: list[dict[str, torch.Tensor]] = []

    def on_pre_optimizer_step(self, *_: Any, model: Any = None, **__: Any) -> None:
        self.steps.append(_gradients(model))


def _gradients(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def _model(family: str, size: int = 64) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForSeq2SeqLM.from_config(FAMILIES[family](size), dtype=torch.float32)


def _pairs(count: int) -> list[dict[str, Any]]:
    chance = random.Random(0)

    def ids() -> list[int]:
        return [chance.randrange(2, 64) for _ in range(chance.randint(1, 9))] + [1]

    return [{"input_ids": ids(), "labels": ids()} for _ in range(count)]


@pytest.mark.parametrize(
    ("family", "biased"), [*((family, False) for family in FAMILIES), ("bart", True), ("marian", True)]
)
def test_parts_of_a_batch_have_the_gradient_of_the_library_s_own_loss(
    family: str, biased: bool, tmp_path: Path
) -> None:
    features = _pairs(9)
    lengths = [max(len(f["input_ids"]), len(f["labels"])) for f in features]
    data = MicroBatches(features, lengths, STEPS, GLOBAL_BATCH, most=20, seed=0)
    assert data.count > 1
    settings = Finetune(
        steps=STEPS, global_batch=GLOBAL_BATCH, learning_rate=1e-30, gradient_clipping=1e9, warmup=0.0
    )
    arguments = training_arguments(settings, PLAIN, tmp_path, seed=0, save_strategy="no")
    arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps = 1, data.count

    def model() -> PreTrainedModel:
        made = _model(family)
        if biased:
            made.final_logits_bias.copy_(torch.linspace(-1, 1, 64)[None])
        return made

    seen, trained = Gradient(), model()
    trainer = trainer_for(
        trained,
        features[0],
        args=arguments,
        train_dataset=data,
        data_collator=PadMicroBatch(PADDED_BY_ZERO, trained),
        optimizer_cls_and_kwargs=optimizer_factory(settings),
        callbacks=[seen],
    )
    assert isinstance(trainer, SequenceTrainer) and (trainer.head is None) == biased
    trainer.train()
    order = training_order(len(features), STEPS * GLOBAL_BATCH, seed=0)
    for step, found in enumerate(seen.steps):
        window = [features[i] for i in order[step * GLOBAL_BATCH : (step + 1) * GLOBAL_BATCH]]
        own, targets = model(), sum(len(f["labels"]) for f in window)
        for f in window:
            loss = own(**{name: torch.tensor([ids]) for name, ids in f.items()}).loss
            (loss * len(f["labels"]) / targets).backward()
        wanted = _gradients(own)
        norm = sum(float(part.square().sum()) for part in wanted.values()) ** 0.5
        assert found.keys() == wanted.keys()
        for name, part in wanted.items():
            torch.testing.assert_close(found[name], part, rtol=0, atol=2e-6 * norm)


WORDS = {"one": "unu", "two": "doi", "three": "trei", "four": "patru", "five": "cinci", "six": "șase"}


def _tokenizer() -> PreTrainedTokenizerFast:
    names = ["<pad>", "</s>", "<unk>", *WORDS, *WORDS.values(), "{1}", ">>", "<<", "en", "ro", "into", ":"]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def _start(family: str, directory: Path) -> str:
    tokenizer = _tokenizer()
    _model(family, len(tokenizer)).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return str(directory)


def _write_pairs(file: Path) -> str:
    """A word among others that mean nothing, and its translation."""
    said = [
        f"{one} {word} {other}" for word in WORDS for one in ["en", "ro", ":"] for other in ["en", "ro", ":"]
    ]
    pairs = [{"translation": {"en": text, "ro": WORDS[text.split()[1]]}} for text in said]
    file.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return str(file)


def test_a_small_one_learns_to_translate_and_says_so(tmp_path: Path) -> None:
    out = Artifact(tmp_path / "out")
    settings = Finetune(
        data=_write_pairs(tmp_path / "pairs.jsonl"),
        text_column="en",
        label_column="ro",
        max_tokens=16,
        max_new_tokens=12,
        steps=100,
        global_batch=16,
        learning_rate=2e-2,
        from_scratch=False,
        beams=(1, 2),
        length_penalties=(0.5, 1.0),
        prefix="into ro : ",
    )
    start = _start("t5", tmp_path / "start")
    metrics = finetune("translation", settings, start, 0.1, 0, out, Watch(energy=False))
    assert metrics["model"]["chrf"] > 90 > metrics["source_copied"]["chrf"]
    assert metrics["model"]["looping"] == 0 and metrics["model"]["chrf++"] > 90
    details = json.loads((out.path / "details.json").read_text())
    assert details["model"]["num_beams"] in (1, 2) and details["model"]["validation_chrf"] > 90
    saved = GenerationConfig.from_pretrained(out.path)
    assert saved.num_beams == details["model"]["num_beams"]
    assert (saved.decoder_start_token_id, saved.eos_token_id, saved.pad_token_id) == (0, 1, 0)
    model = AutoModelForSeq2SeqLM.from_pretrained(out.path)
    read = _tokenizer()("into ro : en two :", return_tensors="pt")
    said = model.generate(input_ids=read["input_ids"], attention_mask=read["attention_mask"])
    assert _tokenizer().decode(said[0], skip_special_tokens=True) == "doi"


def _marian(directory: Path) -> str:
    """A start with the tokenizer of published Marian models: two sentencepiece models and one vocabulary."""
    pieces = ["</s>", "<unk>", "<pad>"]
    for side, words in (("source", WORDS.keys()), ("target", WORDS.values())):
        text = directory / f"{side}.txt"
        text.write_text("\n".join(f"{word} {other}" for word in words for other in words))
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(directory / side), vocab_size=24, hard_vocab_limit=False
        )
        model = sentencepiece.SentencePieceProcessor(str(directory / f"{side}.model"))
        pieces += [model.id_to_piece(i) for i in range(model.get_piece_size())]
        (directory / f"{side}.model").rename(directory / f"{side}.spm")
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    (directory / "vocab.json").write_text(json.dumps(vocabulary))
    files = [str(directory / name) for name in ("source.spm", "target.spm", "vocab.json")]
    MarianTokenizer(*files).save_pretrained(directory)
    tokens = {"pad_token_id": 2, "eos_token_id": 0, "decoder_start_token_id": 2, "forced_eos_token_id": 0}
    size = {"vocab_size": len(vocabulary), "decoder_vocab_size": len(vocabulary)}
    model = AutoModelForSeq2SeqLM.from_config(MarianConfig(**{**SMALL, **tokens, **size}))
    model.generation_config.bad_words_ids = [[2]]
    model.save_pretrained(directory)
    return str(directory)


def test_marian_with_its_own_tokenizer(tmp_path: Path) -> None:
    start, out = tmp_path / "start", Artifact(tmp_path / "out")
    start.mkdir()
    settings = Finetune(
        data=_write_pairs(tmp_path / "pairs.jsonl"),
        text_column="en",
        label_column="ro",
        max_tokens=32,
        max_new_tokens=4,
        steps=2,
        learning_rate=1e-3,
        both_directions=True,
    )
    metrics = finetune("translation", settings, _marian(start), 0.1, 0, out, Watch(energy=False))
    assert set(metrics) == {"model", "from_scratch", "source_copied"}
    tokenizer = load_tokenizer(str(out.path))
    assert isinstance(tokenizer, MarianTokenizer)
    saved = GenerationConfig.from_pretrained(out.path)
    assert (saved.decoder_start_token_id, saved.eos_token_id, saved.bad_words_ids) == (2, 0, [[2]])
    assert (saved.num_beams, saved.max_new_tokens) == (1, 4)
    task = task_named("translation", settings)
    (features,) = [task.encode(task.asked("two four", "ro").fields, tokenizer, MarianConfig())["input_ids"]]
    assert tokenizer.decode(features[0], skip_special_tokens=True).endswith("two four")
    written = task.encode({"source": "two", "target": "doi"}, tokenizer, MarianConfig())["labels"][0]
    assert tokenizer.decode(written, skip_special_tokens=True) == "doi" and written[-1] == 0
    slices = json.loads((out.path / "details.json").read_text())["model"]["slices"]
    assert {"kind into en", "kind into ro"} <= set(slices)


def test_the_longer_side_counts() -> None:
    import datasets

    rows = datasets.Dataset.from_list(
        [{"input_ids": [1, 2, 3], "labels": [1]}, {"input_ids": [1], "labels": [1, 2]}]
    )
    assert longer_sides(rows) == [3, 2]
