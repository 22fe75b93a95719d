"""What the model writes while it learns: continuations of fixed prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.processes import shards_weights
from pipeline.train.watching.log import Log


class Samples(TrainerCallback):
    """Continuations of fixed prompts at every measurement, into the log; the first one on the screen too."""

    def __init__(self, prompts: Sequence[str], tokenizer: Any, log: Log, new_tokens: int = 32) -> None:
        self.prompts, self.tokenizer, self.log, self.new_tokens = prompts, tokenizer, log, new_tokens

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: object,
    ) -> None:
        # Where each process holds a part of the weights, none can generate without the others.
        if self.prompts and (state.is_world_process_zero or shards_weights()):
            samples = continuations(model, self.tokenizer, self.prompts, self.new_tokens)
            if state.is_world_process_zero:
                self.log.append({"step": state.global_step, "samples": samples})
                print(f"  {samples[0]['prompt']} … {' '.join(samples[0]['text'].split())}", flush=True)


def continuations(
    model: Any, tokenizer: Any, prompts: Sequence[str], new_tokens: int
) -> list[dict[str, str]]:
    """What the model writes after each prompt, greedily, with a mild penalty on repetition."""
    from pipeline.evaluate.predict import generate_texts

    plain = getattr(
        model, "_orig_mod", model
    )  # generation changes shapes at every token; uncompiled it is faster
    ids = [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    together = len(ids) * (max(map(len, ids)) + new_tokens)
    texts = generate_texts(plain, tokenizer, ids, new_tokens, together, repetition_penalty=1.3)
    plain.train()
    return [{"prompt": prompt, "text": text} for prompt, text in zip(prompts, texts, strict=True)]
