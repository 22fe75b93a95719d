"""How to use a published model with transformers alone: the code that stands in its card."""

from __future__ import annotations

from pipeline.tasks import TASKS

_CLASSIFY = """\
from transformers import pipeline

classify = pipeline("text-classification", model="REPO")
print(classify("A film that I will not forget."))
"""

_CHAT = """\
from transformers import pipeline

chat = pipeline("text-generation", model="REPO")
messages = [{"role": "user", "content": "Hello! How are you?"}]
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


def usage(repo: str, task: str, prompt: str, chats: bool) -> str:
    """Python that loads the model from the Hub and runs it once.

    Args:
        repo: name on the Hub.
        task: name of the task, or nothing for a model that continues text.
        prompt: a beginning for that.
        chats: whether the tokenizer brings a chat template.
    """
    code = TASKS[task].usage if task in TASKS else ""
    if not code and task in TASKS and TASKS[task].pipeline_tag == "text-classification":
        code = _CLASSIFY
    code = code or (_CHAT if chats else _CONTINUE)
    return code.replace("REPO", repo).replace("PROMPT", repr(prompt))
