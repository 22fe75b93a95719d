"""What the time of training steps goes into, by a profile of PyTorch's operations."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from benchmarks.turns import Turn

_KINDS = {
    "loss": r"log_?softmax|logsumexp|log_sum_exp|nll_loss|cross_?entropy|scatter_add",
    "attention": r"scaled_dot_product|flash|fmha|sdpa|flex_attention|aten::bmm|softmax",
    "matrix products": r"aten::(mm|addmm|matmul|linear)$|linear_pointwise|gemm|nvjet|cutlass|xmma|triton_tem",
    "optimiser and clipping": r"adam|optimizer|_foreach|multi_tensor|norm_?$",
    "elementwise, fused by the compiler": r"cpp_fused|triton_",
    "copies, casts, other elementwise": r"copy|memcpy|memset|elementwise|aten::(to|fill_|zero_|empty|add_|mul_?)$",
}
"""A pattern of the names of each kind; an operation is of the first kind that it fits."""
OTHER = "all else, and time between operations"


def by_kind(turn: Turn) -> dict[str, float]:
    """Share of a profiled turn's seconds by kind of operation, the largest first, what no operation took last."""
    spent: defaultdict[str, float] = defaultdict(float)
    for name, seconds in turn.operations:
        kind = next((kind for kind, names in _KINDS.items() if re.search(names, name.lower())), OTHER)
        spent[kind] += seconds
    spent[OTHER] += max(0.0, turn.seconds - sum(spent.values()))
    whole = sum(spent.values())
    known = sorted((kind for kind in spent if kind != OTHER), key=lambda kind: -spent[kind])
    return {kind: spent[kind] / whole for kind in (*known, OTHER)}


def profile_table(turn: Turn) -> Iterator[str]:
    """The table of the page."""
    yield "| what | share of a step |"
    yield "| --- | ---: |"
    for kind, share in by_kind(turn).items():
        yield f"| {kind} | {share:.0%} |"
