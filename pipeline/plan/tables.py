"""The plan on the terminal: tables, and the sentences between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from pipeline.model.dial import position
from pipeline.model.scaling import CHINCHILLA, compute_optimal, followed
from pipeline.model.vocabulary import vocabulary_size
from pipeline.plan.machines import Estimate, Machine, seconds_on
from pipeline.plan.measuring import Speed
from pipeline.plan.needs import Need
from pipeline.recipe import Recipe
from pipeline.report.tables import ABSENT, drawn, print_table
from pipeline.tokenizer.report import embedding_cost
from pipeline.train.data.reading import Reading


def print_size(recipe: Recipe) -> None:
    """What was set, beside what would follow from the dial, and the share of the vocabulary in the whole."""
    rows = [
        [f.setting, shown(f.value), "follows" if f.value == f.rule else f"set; {shown(f.rule)} would follow"]
        for f in followed(recipe)
    ]
    print(f"{recipe.model.family}, the dial at {position(recipe.model)}")
    print_table(drawn(["setting", "value", "from the dial"], rows, words=1))
    share = embedding_cost(recipe.model, vocabulary_size(recipe)).numbers()["embedding_share"]
    print(f"tokenizer: {recipe.tokenizer.algorithm}, {share:.0%} of the parameters are embeddings")


def print_parameters(needs: Sequence[Need]) -> None:
    """Parameters by what they are for."""
    head = ["parameters", "embedding", "attention", "feed-forward", "norms", "head", "all", "trained"]
    rows = [
        [need.stage, *(f"{n:,}" for n in (*asdict(need.parts).values(), need.parameters, need.trained))]
        for need in needs
    ]
    print_table(drawn(head, rows))


def print_work(needs: Sequence[Need], here: Machine, there: Machine, utilisation: float) -> None:
    """What is computed, how long that takes here and on another machine, and what it leaves on disk.

    Args:
        needs: by stage.
        here: this machine, with the FLOP/s that training reaches.
        there: another one.
        utilisation: share of its peak that training reaches there.
    """
    head = ["work", "steps", "tokens", "FLOPs", "time here", "Wh here", f"on {there.name}", "disk"]
    rows = []
    for need in needs:
        seconds = seconds_on(here, need, 1.0)
        counts = f"{need.steps:,}", f"{need.tokens:,}", f"{need.flops:.1e}"
        spent = duration(seconds), number_of(here.watts * seconds / 3600)
        rows.append(
            [need.stage, *counts, *spent, duration(seconds_on(there, need, utilisation)), size(need.disk)]
        )
    print_table(drawn(head, rows))


def print_memory(needs: Sequence[Need]) -> None:
    """What a process takes at the most, by what it is for."""
    head = ["memory", "weights", "gradients", "optimiser", "activations", "logits", "process", "data", "all"]
    rows = [[need.stage, *map(size, (*asdict(need.memory).values(), need.memory.total))] for need in needs]
    print_table(drawn(head, rows))
    print(
        "Memory is that of each process when it takes most: gradients are made while activations go, and all of them "
        "are as large as the trained weights. Process: the interpreter with its libraries, and the allocator's gaps."
    )


def print_lengths(readings: Mapping[str, Reading], limits: Mapping[str, int], exact: bool) -> None:
    """How long examples are, and what becomes of those that are too long.

    Args:
        readings: by task.
        limits: max-tokens by task.
        exact: whether the tokenizer is the one of the training.
    """
    head = [
        "tokens of examples",
        "to train on",
        "limit",
        "mean",
        "longest",
        "too long",
        "cut",
        "divided",
        "left out",
    ]
    rows = []
    for task, reading in readings.items():
        if found := reading.lengths:
            counts = (found.over, found.cut, found.divided, found.left_out)
            shares = [f"{count / found.drawn:.1%}" if count else ABSENT for count in counts]
            lengths = f"{limits[task]:,}", f"{found.mean:.0f}", f"{found.longest:,}"
            rows.append([task, f"{reading.examples:,}", *lengths, *shares])
    if not rows:
        return
    print_table(drawn(head, rows))
    drawn_at_most = max(reading.lengths.drawn for reading in readings.values() if reading.lengths)
    by = (
        "" if exact else ", by a tokenizer learnt from the beginning of each source, for the run has none yet"
    )
    print(
        f"Of at most {drawn_at_most:,} examples of each task{by}. The mean is of what is trained on; divided are texts "
        "read in windows and conversations told in parts. Another --tasks.NAME.max-tokens changes the limit."
    )


def print_machines(estimates: Sequence[Estimate], utilisation: float) -> None:
    """Time, energy and money of all trainings on each machine."""
    head = ["all trainings", "peak", "memory", "GB/s", "W", "time", "Wh", "price", "fits"]
    rows = []
    for found in estimates:
        machine = found.machine
        rows.append(
            [
                machine.name,
                f"{machine.flops / 1e12:,.2f} TFLOP/s"
                if machine.flops < 1e13
                else f"{machine.flops / 1e12:,.0f} TFLOP/s",
                f"{machine.devices} × {size(machine.memory)}"
                if machine.devices > 1
                else size(machine.memory),
                number_of(machine.bandwidth / 1e9),
                number_of(machine.watts),
                duration(found.seconds),
                number_of(found.watt_hours),
                ABSENT if found.price is None else f"{found.price:,.2f}",
                found.fits,
            ]
        )
    print_table(drawn(head, rows))
    print(
        f"Here is what was measured; the others are by their makers' data sheets, at {utilisation:.0%} of the peak "
        "(--plan.utilisation) and their largest power, without communication between devices. Prices are yours: "
        "--plan.prices h100=2.50. Preparing text and measuring come on top."
    )


def told_of_speed(speed: Speed, assumed: float) -> Iterator[str]:
    """What was measured, in lines.

    Args:
        speed: of this machine.
        assumed: share of the speed in matrix products that steps are taken to reach where none was tried.
    """
    products = f"measured in {speed.seconds:.0f} s: {speed.products / 1e9:,.0f} GFLOP/s in matrix products"
    if speed.training:
        yield f"{products}, {speed.utilisation:.0%} of that in steps of the model, which were not compiled"
    else:
        yield f"{products}; steps, too long to try here, are taken to reach {assumed:.0%} of that"
    if speed.watts:
        yield f"{speed.watts:.0f} W meanwhile ({speed.watts_from})"


def told_of_tokens(readings: Mapping[str, Reading]) -> Iterator[str]:
    """Tokens that the model does not know yet, in a line for each task."""
    for task, reading in readings.items():
        if new := reading.new_tokens:
            yield f"{task}: {len(new)} tokens are new to the tokenizer, and learnt from the data: {' '.join(new)}"


def told_of_optimum(need: Need) -> str:
    """Where a pre-training stands beside what is optimal for its compute."""
    best = CHINCHILLA * need.parameters
    parameters, tokens = compute_optimal(need.flops)
    return (
        f"Chinchilla-optimal for {need.parameters:,} parameters: {best:,.0f} tokens, {CHINCHILLA:g} a parameter "
        f"(Hoffmann et al., 2022); this recipe trains on {need.tokens:,}, {need.tokens / need.parameters:.2g} a "
        f"parameter, {need.tokens / best:.0%} of that. Its FLOPs would do most for {parameters:,.0f} parameters and "
        f"{tokens:,.0f} tokens."
    )


def shown(value: float) -> str:
    """A setting's number; whole ones with their thousands apart."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def number_of(value: float) -> str:
    """A quantity in three digits; a dash where it is not known."""
    if not value:
        return ABSENT
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there are two."""
    for length, unit in ((365 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes in MB or GB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
