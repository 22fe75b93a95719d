"""A graph in ONNX Runtime under the interface of transformers' models, so that it predicts and generates as they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GenerationConfig, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import (
    CausalLMOutputWithPast,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
)
from transformers.utils import GENERATION_CONFIG_NAME

from pipeline.artifacts import read_json
from pipeline.errors import GroundupError, first_line
from pipeline.model.published import load_config

_BEFORE = "past_key_values."


class OnnxModel(PreTrainedModel, GenerationMixin):
    """Runs a graph that ``pipeline.export.formats.onnx`` wrote, on the processor.

    Args:
        config: of the model.
        session: an ``onnxruntime.InferenceSession``.
    """

    held: Sequence[str] = ()
    """Inputs for the keys and values of what was read; the class above asks before there is a session."""

    def __init__(self, config: PreTrainedConfig, session: Any) -> None:
        super().__init__(config)
        self.session = session
        self.takes = {given.name: given.shape for given in session.get_inputs()}
        self.gives = [made.name for made in session.get_outputs()]
        self.held = [name for name in self.takes if name.startswith(_BEFORE)]

    @classmethod
    def from_file(cls, file: Path) -> OnnxModel:
        """Load a graph with the configuration beside it, on as many threads as torch has.

        Raises:
            GroundupError: when it cannot be loaded.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own kinds are not public
            raise GroundupError(
                str(file), f"ONNX Runtime cannot load it ({first_line(error)[:200]})", "export it again"
            ) from error
        model = cls(load_config(str(file.parent)), session)
        settings = file.parent / GENERATION_CONFIG_NAME
        if settings.is_file():
            model.generation_config = GenerationConfig.from_dict(read_json(settings))
        return model

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def can_generate(self) -> bool:
        """Whether the graph takes keys and values."""
        return bool(self.held)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        cache: Any = None,
        past_key_values: Any = None,
        logits_to_keep: int | torch.Tensor = 0,
        **others: Any,
    ) -> Any:
        """The graph's outputs.

        Args:
            input_ids: ``(batch, tokens)``.
            attention_mask: ``(batch, tokens before and these)``; none means all ones.
            position_ids: ``(batch, tokens)``; none counts on.
            token_type_ids: where the graph takes them.
            cache, past_key_values: the one or the other by the version of transformers; it is added to.
            logits_to_keep: the last so many tokens, or these; 0 keeps all.
            others: what a graph has no use for.
        """
        kept = cache if cache is not None else past_key_values
        before = kept.get_seq_length() if kept is not None else 0
        batch, tokens = input_ids.shape
        if attention_mask is None:
            attention_mask = torch.ones(batch, before + tokens, dtype=torch.long)
        if position_ids is None:
            position_ids = torch.arange(before, before + tokens).unsqueeze(0)
        given = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "position_ids": position_ids.expand(batch, tokens),
            "token_type_ids": torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids,
        }
        fed = {name: value.numpy() for name, value in given.items() if name in self.takes}
        made = dict(zip(self.gives, self.session.run(None, {**fed, **self._held(kept, batch)}), strict=True))
        if "logits" not in made:
            spans = (torch.from_numpy(made[name]) for name in ("start_logits", "end_logits"))
            return QuestionAnsweringModelOutput(None, *spans)
        logits = torch.from_numpy(made["logits"])
        if not self.held:
            return SequenceClassifierOutput(logits=logits)
        if kept is not None:
            self._keep(kept, made, before)
        wanted = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        return CausalLMOutputWithPast(logits=logits[:, wanted], past_key_values=kept)

    def _held(self, kept: Any, batch: int) -> dict[str, np.ndarray[Any, Any]]:
        """Keys and values of what was read; none are of no length."""
        if kept is not None and kept.get_seq_length():
            values = [held for layer in kept.layers for held in (layer.keys, layer.values)]
            return {name: value.numpy() for name, value in zip(self.held, values, strict=True)}
        return {
            name: np.zeros((batch, self.takes[name][1], 0, self.takes[name][3]), np.float32)
            for name in self.held
        }

    def _keep(self, kept: DynamicCache, made: dict[str, np.ndarray[Any, Any]], before: int) -> None:
        present = [torch.from_numpy(made[name.replace(_BEFORE, "present.")]) for name in self.held]
        for layer, (keys, values) in enumerate(zip(present[::2], present[1::2], strict=True)):
            kept.update(keys[:, :, before:], values[:, :, before:], layer)
