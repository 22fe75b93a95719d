"""Two ways in which a language model learns classes, for benchmarks/labels.py: by Bayes' rule, and with a head."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.tasks import TASKS
from pipeline.tasks.base import Example, Likely, Prediction, Task, prompt_and_answer, tokens
from pipeline.tasks.problems.base import names_in
from pipeline.tasks.sentiment import Sentiment

if TYPE_CHECKING:
    import torch

    from pipeline.evaluate.said import Said, Wanted


class Head(Sentiment):
    """The task ``sentiment``, trained on every label that it is given.

    That task keeps a tenth from training for a temperature, which changes no class that is said.
    """

    name = "labels-head"
    validates = False


class Generative(Sentiment):
    """A causal model learns to write the text of a class; the class that makes the text likelier is said.

    ``argmax_y log p(text | y) + log p(y)``: Bayes' rule without the text's own probability, which all classes share.
    ``p(y)`` is the class's share of the training part and stands in the configuration.
    """

    name = "labels-generative"
    model_class = "AutoModelForCausalLM"
    pipeline_tag = "text-generation"
    validates = False

    def model_config(self, train: Sequence[Example]) -> dict[str, Any]:
        """Names of the labels, and ``label_prior``."""
        counts = Counter(example.fields["label"] for example in train)
        prior = {label: count / len(train) for label, count in counts.items()}
        return {**super().model_config(train), "label_prior": prior}

    def encode(self, fields: Mapping[str, Any], tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """End of text, label, text, end of text; the loss is on what follows the label."""
        return self._written(fields["text"], fields["label"], tokenizer, config)

    def _written(self, text: str, label: str, tokenizer: Any, config: Any) -> dict[str, list[Any]]:
        """The text is cut at the same place for every label: else their probabilities would be of different texts."""
        prompts = {
            name: [tokenizer.eos_token_id, *tokens(tokenizer, f"{name}:")] for name in names_in(config)
        }
        room = max(1, self.settings.max_tokens - max(map(len, prompts.values())))
        answer = [*tokens(tokenizer, f" {text}"), tokenizer.eos_token_id]
        return prompt_and_answer(prompts[label], answer[:room])

    def joint(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> torch.Tensor:
        """``log p(text | label) + log p(label)`` in nats, ``(examples, labels)``, float32."""
        import torch

        from pipeline.evaluate.predict import summed_losses

        names = names_in(model.config)
        features = [
            {column: values[0] for column, values in written.items()}
            for example in examples
            for written in (
                self._written(example.fields["text"], name, tokenizer, model.config) for name in names
            )
        ]
        nats = summed_losses(model, tokenizer, features, self.settings.evaluation_tokens)
        prior = torch.tensor([math.log(model.config.label_prior[name]) for name in names])
        return prior - torch.tensor(nats).view(len(examples), len(names))

    def predict_portion(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[Prediction]:
        """The class with the greatest joint probability; the softmax of the logarithms is its posterior."""
        return self.problem.predictions(self.joint(model, tokenizer, examples), model.config, examples)

    def likely(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[dict[str, Likely]]:
        """The posterior of each class."""
        return self.problem.likely(self.joint(model, tokenizer, examples), model.config)

    def said(self, model: Any, tokenizer: Any, example: Example, wanted: Wanted) -> Said:
        """Not told: the class follows from several readings."""
        return Task.said(self, model, tokenizer, example, wanted)


def register() -> None:
    """Let recipes name both."""
    TASKS.update({task.name: task for task in (Head, Generative)})
