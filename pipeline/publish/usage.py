"""How to use a published model with transformers alone: the code that stands in its card."""

from __future__ import annotations

from pipeline.recipe import Finetune
from pipeline.tasks.base import Task

_CLASSIFY = """\
from transformers import pipeline

classify = pipeline("text-classification", model="REPO")
print(classify("A film that I will not forget.", truncation=True))
# Two texts: classify({"text": "One.", "text_pair": "Another."}). Several labels: classify(…, top_k=None), and
# classify.model.config.decision_thresholds has the probability from which each is said.
"""

_BY_TAG = {"text-classification": _CLASSIFY}

_CHAT = """\
from transformers import pipeline

chat = pipeline("text-generation", model="REPO")
messages = [SYSTEM{"role": "user", "content": "Hello! How are you?"}]
print(chat(messages)[0]["generated_text"][-1]["content"])
"""

_CONTINUE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = AutoModelForCausalLM.from_pretrained("REPO")
inputs = tokenizer(PROMPT, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=40)
print(tokenizer.decode(output[0], skip_special_tokens=True))
"""

_LOAD = """\
from transformers import HEAD, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("REPO")
model = HEAD.from_pretrained("REPO")
"""


def trusting(code: str, repo: str) -> str:
    """The same Python, for a model whose own code lies beside its weights, which a reader has to let run.

    Args:
        code: by ``usage``.
        repo: name on the Hub.
    """
    return code.replace(f'"{repo}"', f'"{repo}", trust_remote_code=True')


def usage(
    repo: str,
    task: type[Task] | None,
    prompt: str,
    chats: bool,
    made: Finetune,
    reads: bool,
    instruction: str = "",
    head: str = "AutoModelForCausalLM",
) -> str:
    """Python that loads the model from the Hub and runs it once.

    Args:
        repo: name on the Hub.
        task: what the model was fine-tuned for; None for one that continues text.
        prompt: a beginning for that.
        chats: whether it was trained on conversations.
        made: settings of its fine-tuning.
        reads: whether it is an encoder-decoder.
        instruction: the system message that it was trained with, if with one.
        head: the auto class of one that was pre-trained and no more.
    """
    system = f'{{"role": "system", "content": {instruction!r}}}, ' if instruction else ""
    code = _CHAT if chats else _CONTINUE if head == "AutoModelForCausalLM" else _LOAD
    if task is not None:
        fallback = code if task.model_class == "AutoModelForCausalLM" else _LOAD
        code = task.usage_by(made, reads) or _BY_TAG.get(task.pipeline_tag, fallback)
        head = task.model_class
    return (
        code.replace("HEAD", head)
        .replace("REPO", repo)
        .replace("PROMPT", repr(prompt))
        .replace("[SYSTEM{", f"[{system}{{")
    )
