"""What tutorials print is written by following them."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.scripts.pages import TUTORIALS, Code, codes, commands_of
from docs.scripts.printed import filled, follow, main

PAGE = """\
# A page

<!-- printed on -->
<!-- /printed on -->

```python shout.py
import sys

print(sys.stdin.read().upper(), "x step 1/2 · loss 3 · 4 s left", sep="\\n")
```

```sh
echo quiet | python shout.py
test -d recipes
```

<!-- printed -->
what stood here before
<!-- /printed -->

    exit 3

```sh
python -c 'import pipeline; print(pipeline.__name__)'
```

<!-- printed -->
<!-- /printed -->

The end.
"""


def test_a_page_is_followed_and_filled(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    main(page, tmp_path / "desk")
    text = page.read_text("utf-8")
    assert "<!-- printed -->\n```text\nQUIET\n```\n<!-- /printed -->" in text
    assert "```text\npipeline\n```" in text and text.endswith("The end.\n")
    assert "before" not in text and "Printed on " in text and text.count("all steps took") == 1
    main(page, tmp_path / "desk")
    assert page.read_text("utf-8") == text  # done again, the same


def test_a_step_that_fails_ends_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse\necho after\n```\n", "utf-8")
    with pytest.raises(SystemExit):
        follow(page, tmp_path)


def test_marks_that_came_since_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        filled("<!-- printed -->\n<!-- /printed -->\n", ["one", "two"], minutes=1)


@pytest.mark.parametrize("page", sorted(TUTORIALS.glob("*.md")), ids=lambda page: page.stem)
def test_every_tutorial_was_followed(page: Path) -> None:
    text = page.read_text("utf-8")
    assert "Printed on " in text and "/site-packages/" not in text
    assert text.count("<!-- printed -->\n```text\n") == text.count("<!-- printed -->\n") > 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("groundup plan  # what it's for\n", ["groundup plan"]),
        ('groundup chat \\\n    --task "a b" | head -n 1\n', ["groundup chat --task 'a b'", "head -n 1"]),
        ('groundup run --x "a | b"\n', ["groundup run --x 'a | b'"]),
        ("HF_HUB_OFFLINE=1 .venv/bin/groundup run\n", [".venv/bin/groundup run"]),
        ("make", []),
        ("from pipeline import x\n", []),
    ],
)
def test_commands_are_found_in_code(text: str, wanted: list[str]) -> None:
    assert [str(command) for command in commands_of(Code("", "", text, 1), "page")] == wanted


def test_code_within_a_line_and_in_blocks_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Call `make x`.\n\n    make y\n\n```python file.py\nz = 1\n```\n", "utf-8")
    found = list(codes(page))
    assert [(code.text, code.line) for code in found] == [("make x", 1), ("make y\n", 3), ("z = 1\n", 6)]
    assert found[2].file == "file.py" and found[1].is_block and not found[0].is_block
