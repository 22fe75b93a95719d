"""The Trainer whose steps are those of DP-SGD (Abadi et al., 2016): clipped by example, summed, with noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pipeline.errors import GroundupError
from pipeline.recipe import Finetune
from pipeline.train.example_loss import TARGETS, example_losses
from pipeline.train.optimizer import build_optimizer
from pipeline.train.private.budget import Budget
from pipeline.train.private.gradients import positions, with_gradients_by_example
from pipeline.train.private.sampling import PadDrawn, PoissonBatches, Secret
from pipeline.train.watching.trainer import MeteredTrainer


class PrivateTrainer(MeteredTrainer):
    """``MeteredTrainer`` with Opacus' optimiser: a step is the noisy sum of clipped gradients by example.

    It is divided by the examples that a step has on average, since how many it has would tell of them. Nothing is
    skipped for what its loss is, which would tell of it too. The log is not private: its loss is the mean over a
    step's examples, without noise, and ``clipped`` is the share of them whose gradient was longer than the clip.

    Args:
        model: in float32.
        loss: what takes the place of the loss of a head with one target an example (``Task.loss``).
        settings: of the fine-tuning.
        data: the samples of all steps.
        pad: collates them.
        options: what ``MeteredTrainer`` takes beside.

    Raises:
        GroundupError: where Opacus cannot take the model's gradients by example.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[..., Any] | None,
        settings: Finetune,
        data: PoissonBatches,
        pad: PadDrawn,
        **options: Any,
    ) -> None:
        self.loss, self.budget = loss, data.budget
        self.gives_positions, self.drawn = False, 0
        self.seen = self.clipped = 0
        super().__init__(
            model=model,
            train_dataset=data,
            data_collator=pad,
            optimizer_cls_and_kwargs=private_factory(settings, data.budget),
            **options,
        )
        self.add_callback(FreshNoise(data.secret))
        model.train()
        two = self._prepare_inputs(pad.pad([[data.features[0], data.features[-1]]]))
        with _hooks_on_inputs():
            self.gives_positions = with_gradients_by_example(model, two, lambda b: self._by_example(model, b))

    def train(self, *arguments: Any, **options: Any) -> Any:
        with _hooks_on_inputs():
            return super().train(*arguments, **options)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor | int | None]:
        """The micro-batches of a step, whose examples are counted."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.drawn = sum(int(batch["counts"].sum()) for batch in batches)
        return batches, items

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The sum over the examples: each one's gradient is its own, whatever its batch."""
        inputs = dict(inputs)
        counts = inputs.pop("counts")
        if self.gives_positions:
            inputs["position_ids"] = positions(inputs["input_ids"])
        return (self._by_example(model, inputs) * counts).sum()

    def _by_example(self, model: nn.Module, inputs: Any) -> torch.Tensor:
        read = {name: value for name, value in inputs.items() if name not in TARGETS}
        if self.model.can_generate():
            read["use_cache"] = False
        return example_losses(model(**read), inputs, self.model.config, self.loss)

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """The Trainer's own: no pass is taken twice or in parts, since its examples would then count twice.

        Raises:
            GroundupError: when memory runs out.
        """
        try:
            loss = Trainer.training_step(self, model, inputs, num_items_in_batch)
        except torch.OutOfMemoryError as error:
            raise GroundupError(
                "--finetune.micro-batch",
                f"memory ran out with the gradients of {len(inputs['input_ids'])} examples",
                "use a smaller one, the global batch stays; or train less, with --finetune.adapter.kind lora",
            ) from error
        optimizer: Any = self.optimizer.optimizer
        lengths = torch.stack([each.flatten(1).norm(dim=1) for each in optimizer.grad_samples]).norm(dim=0)
        self.seen += int(inputs["counts"].sum())
        self.clipped += int((lengths > self.budget.clip).sum())
        if (
            not self.accelerator.sync_gradients
        ):  # others of this step are to come: clip, and keep their sum alone
            optimizer.signal_skip_step()
            optimizer.step()
            optimizer.zero_grad()
        return loss / max(1, self.drawn)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Without the norm of a gradient that the step did not use; with the share of examples that were clipped."""
        told = {name: value for name, value in logs.items() if name != "grad_norm"}
        if "loss" in told and self.seen:
            told["clipped"] = self.clipped / self.seen
            self.seen = self.clipped = 0
        super().log(told, start_time)


@contextmanager
def _hooks_on_inputs() -> Iterator[None]:
    """torch warns of hooks on a layer whose inputs are numbers of tokens, which is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Full backward hook is firing", UserWarning)
        yield


class FreshNoise(TrainerCallback):
    """Gives each step noise of its own, the same when the step is done again after an interruption."""

    def __init__(self, secret: Secret) -> None:
        self.secret = secret

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        optimizer.optimizer.generator = self.secret.generator("noise", state.global_step, args.device)

    def on_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **_: object,
    ) -> None:
        optimizer.zero_grad()  # the Trainer clears the model's gradients, and knows of none by example


def private_factory(settings: Finetune, budget: Budget) -> tuple[Callable[[], Any], dict[str, Any]]:
    """``private_optimizer`` in the form of the Trainer's ``optimizer_cls_and_kwargs``."""
    return lambda: private_optimizer, {"settings": settings, "budget": budget}


def private_optimizer(model: nn.Module, settings: Finetune, budget: Budget) -> torch.optim.Optimizer:
    """The optimiser that the settings name, behind Opacus' clipping and noise."""
    from opacus.optimizers import DPOptimizer

    return DPOptimizer(
        build_optimizer(model, settings),
        noise_multiplier=budget.noise_multiplier,
        max_grad_norm=budget.clip,
        expected_batch_size=budget.global_batch,
    )
