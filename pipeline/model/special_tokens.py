"""Special tokens and the chat template of every tokenizer that Groundup trains: set here and nowhere else."""

from __future__ import annotations

from typing import Any

from pipeline.errors import GroundupError
from pipeline.recipe import Tokenizer

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
END_OF_TURN = "<|end|>"
TURNS = ("<|system|>", "<|user|>", "<|assistant|>", END_OF_TURN)
UNKNOWN = "<|unk|>"
"""Of the algorithms that cannot write every text."""
SPECIAL = (END_OF_TEXT, PAD, *TURNS)
"""Entries that never come out of plain text: end of a document, padding, and the turns of a conversation."""
MASK = "<|mask|>"
"""Stands for a token that is hidden."""


def sentinels(count: int) -> tuple[str, ...]:
    """What stands for hidden spans, in their order, by T5's names."""
    return tuple(f"<extra_id_{number}>" for number in range(count))


def hiding(settings: Tokenizer) -> tuple[str, ...]:
    """What stands for hidden text in a tokenizer of these settings."""
    return (*((MASK,) if settings.mask else ()), *sentinels(settings.sentinels))


CHAT_TEMPLATE = (
    "{% if tools %}"
    "{{ '<|system|>' }}"
    "{% if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + '\n\n' }}{% endif %}"
    "{{ 'Tools:' }}{% for tool in tools %}{{ '\n' + (tool | tojson) }}{% endfor %}{{ '<|end|>' }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "{{ '<|assistant|>' }}{% generation %}{{ message['content'] or '' }}"
    "{% for call in message['tool_calls'] or [] %}"
    "{{ '\n' if message['content'] or not loop.first else '' }}"
    "{{ '<tool_call>\n{\"name\": ' + (call['function']['name'] | tojson) + ', \"arguments\": ' }}"
    "{{ (call['function']['arguments'] | tojson) + '}\n</tool_call>' }}"
    "{% endfor %}{{ '<|end|>' }}{% endgeneration %}"
    "{% elif message['role'] == 'tool' %}"
    "{{ '<|user|><tool_response>\n' + message['content'] + '\n</tool_response><|end|>' }}"
    "{% elif not (tools and loop.first and message['role'] == 'system') %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
"""Roles and ends are special tokens; what the assistant says is marked as such for other trainers too. Tools are
spelled out in plain text (pipeline/model/turns.py)."""

RESPONSE_TEMPLATE = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|assistant|>",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*<tool_call>",
            "close": "</tool_call>",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {"close_pattern": r"\s*<\|end\|>", "content": "text"},
    },
}
"""How a reply under our template is read back as a message (``parse_response`` of transformers). Without it
``transformers serve`` goes by the architecture, and takes a Qwen3 of ours for one with Qwen's own template."""


def converses(template: str | None, end_of_text: str | None) -> bool:
    """Whether a model holds conversations, by its tokenizer.

    Every tokenizer trained here has our template, so with ours a model does once it ends its texts where a
    turn ends, which fine-tuning for chat brings about.
    """
    return bool(template) and (template != CHAT_TEMPLATE or end_of_text == END_OF_TURN)


def turns(tokenizer: Any) -> list[int]:
    """Ids of our turns of a conversation, for a tokenizer that ends its texts with one."""
    ours = tokenizer.eos_token == END_OF_TURN
    return [tokenizer.convert_tokens_to_ids(token) for token in TURNS] if ours else []


def harmless(text: str, tokenizer: Any) -> str:
    """A text that no part of a template can be mistaken for: a blank breaks up what spells a special token."""
    for token in tokenizer.added_tokens_decoder.values():
        if token.special and token.content in text:
            text = text.replace(token.content, f"{token.content[:1]} {token.content[1:]}")
    return text


def set_padding(tokenizer: Any) -> None:
    """Give a published tokenizer padding of its own: its unknown token where that is spare, or a new token."""
    if tokenizer.pad_token is None or tokenizer.pad_token == tokenizer.eos_token:
        spare = tokenizer.unk_token not in (None, tokenizer.eos_token, tokenizer.bos_token)
        tokenizer.pad_token = tokenizer.unk_token if spare else PAD  # setting it adds it where it is new


def check_end_of_text(tokenizer: Any, head: str, name: str) -> None:
    """Refuse a tokenizer that cannot say where an answer, or a text, ends.

    Args:
        tokenizer: as a task has prepared it.
        head: the auto class of the model; one that tells classes apart needs no end.
        name: of the model, for what is said.

    Raises:
        GroundupError: where it has neither an end of text nor a mark of its beginning, [CLS], that stands for it.
    """
    if head == "AutoModelForSequenceClassification" or tokenizer.eos_token_id is not None:
        return
    if head != "AutoModelForQuestionAnswering" or tokenizer.cls_token_id is None:
        raise GroundupError(
            name,
            "its tokenizer has no end of text, and an answer could not end",
            "name one as eos_token in its tokenizer_config.json, or start from another model",
        )


def set_chat_template(tokenizer: Any) -> None:
    """Our template where there is none, with its tokens; a reply then ends the text."""
    if not tokenizer.chat_template:
        missing = [token for token in TURNS if token not in tokenizer.get_vocab()]
        tokenizer.add_special_tokens({"additional_special_tokens": missing})
        tokenizer.chat_template = CHAT_TEMPLATE
    if tokenizer.chat_template == CHAT_TEMPLATE:
        tokenizer.eos_token = END_OF_TURN
        tokenizer.response_template = RESPONSE_TEMPLATE
