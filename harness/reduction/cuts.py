"""What is made smaller, one kind after the other, until nothing is left that can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..spec.datasets import Random
from .fit import nodes_of
from .search import Search
from .sizes import FIXED, STEPS, sizes
from .tree import Trail, Tree, at, at_step, dotted, paths, there, with_value, without
from .wires import LAYERS, cut, sequences, unwrapped

#: keys that are never left out
NEEDED = ("type", "rows", "steps")


def smallest(search: Search) -> None:
    """All kinds of cuts, again and again until none succeeds."""
    kinds: tuple[Callable[[Search], None], ...] = (
        random_data, fewer_steps, fewer_rows, plain_training, plain_model, fewer_layers, bare_layers, plainer_layers, fewer_options,
        smaller_sizes,
    )  # fmt: skip
    before = None
    while before != search.tree:
        before = search.tree
        for kind in kinds:
            kind(search)


def plain_training(search: Search) -> None:
    """The plainest loss, of values rather than of classes, and the plainest optimizer, with the learning rate that there is."""
    rate = at(search.tree, ("train", "optimizer"))["learning_rate"]
    search.attempt("plain sgd", with_value(search.tree, (("train", "optimizer"), {"type": "sgd", "learning_rate": rate})))
    plain = with_value(search.tree, (("train", "loss"), "mse"))
    search.attempt("mean squared error", without_key(plain, ("data", "classes"))) or search.attempt("mean squared error", plain)


def random_data(search: Search) -> None:
    """As many random rows as one batch has, of the same shape; values as targets, or classes."""
    found = search.planned(search.tree)
    tree, data = without_key(search.tree, ("train", "batch_size")), search.tree["data"]
    if data["type"] == Random.type:
        search.attempt("one batch", {**tree, "data": {**data, "rows": found.batch_size}})
        return
    data = {"type": Random.type, "rows": found.batch_size, "shape": list(found.spec.input_shape)}
    for weights in ({}, {"weighted": True})[: 1 + found.facts.weighted]:
        for targets in ({"classes": 2}, {}):
            if search.attempt("random data", {**tree, "data": {**data, **targets, **weights}}):
                return


def plain_model(search: Search) -> None:
    """One dense layer, of as few units as the loss takes, for what lies in no layer of another type."""
    if search.tree["data"]["type"] == Random.type:
        for units in (1, 2):
            plain = with_value(search.tree, (LAYERS, [{"type": "dense", "units": units}]), (("data", "shape"), [1]))
            if search.attempt("one dense layer", plain):
                return


def fewer_steps(search: Search) -> None:
    """An earlier step at which it shows."""
    last = at(search.tree, STEPS) - 1
    for step in (0, *powers(last), last - 1):
        if 0 <= step < last and search.attempt(f"step {step}", at_step(search.tree, step)):
            fewer_steps(search)
            return


def fewer_rows(search: Search) -> None:
    """A smaller batch: with it, all that follows takes less time."""
    if search.tree["data"]["type"] == Random.type:
        shrunk(search, [("data", "rows")], search.tree["data"]["rows"])


def fewer_layers(search: Search) -> None:
    """Layers left out of every list, half of it at first, at last each alone; from the end on, since what is behind needs no other data."""
    for path in lists(search):
        count = length(search.tree, path)
        while count:
            end = length(search.tree, path)
            while end > 0:
                start = max(end - count, 0)
                without_layers(search, path, start, end)
                end = min(start, length(search.tree, path))
            count //= 2


def lists(search: Search) -> Iterator[Trail]:
    """The path of every list of layers, as it is when its turn comes."""
    number = 0
    while number < len(found := sequences(search.tree)):
        yield found[number]
        number += 1


def length(tree: Tree, path: Trail) -> int:
    """How many layers a list has; none where it has gone with something around it."""
    return len(at(tree, path)) if there(tree, path) else 0


def without_layers(search: Search, path: Trail, start: int, end: int) -> bool:
    """Leave out some layers; where they were the first to read the data, these take the shape that the next layer had read."""
    sequence = at(search.tree, path)
    if end - start == len(sequence):
        return False
    smaller = cut(search.tree, path, start, end)
    what = f"without {', '.join(layer['type'] for layer in sequence[start:end])}"
    if path == LAYERS and start == 0 and search.tree["data"]["type"] == Random.type:
        before = nodes_of(with_value(search.tree, (LAYERS, sequence[:end])))
        shape = list(before[-1].output_shape) if before else []
        if shape and search.attempt(what, with_value(smaller, (("data", "shape"), shape))):
            return True
    return search.attempt(what, smaller)


def bare_layers(search: Search) -> None:
    """What is inside a layer that is made of others, instead of it."""
    for path in lists(search):
        for index in reversed(range(length(search.tree, path))):
            inner = unwrapped(search.tree, (*path, index))
            if inner is not None:
                search.attempt(f"{at(search.tree, (*path, index))['type']} unwrapped", inner)


def plainer_layers(search: Search) -> None:
    """A dense layer instead of another one, of one unit or as many as that has."""
    for path in lists(search):
        for index, layer in enumerate(at(search.tree, path)):
            if layer["type"] == "dense":
                continue
            kept = {key: layer[key] for key in ("name", "inputs") if key in layer}
            for units in dict.fromkeys((1, layer.get("units", 1), layer.get("filters", 1))):
                dense = {"type": "dense", "units": units, **kept}
                if search.attempt(f"dense instead of {layer['type']}", with_value(search.tree, ((*path, index), dense))):
                    break


def fewer_options(search: Search) -> None:
    """Everything left out that may be: keys fall back on their defaults. The last first, so that the places of the others stay."""
    layers = sequences(search.tree)
    for path in reversed(list(paths(search.tree))):
        needed = path[0] in FIXED or len(path) == 1 or path[-1] in NEEDED or path[:-1] in layers
        if not needed and there(search.tree, path):
            search.attempt(f"without {dotted(path)}", without(search.tree, path))


def smaller_sizes(search: Search) -> None:
    """All sizes cut to one limit; then those that are equal together, since they may have to be; then each alone."""
    for limit in powers(max((size for _, size in sizes(search.tree)), default=1)):
        if search.attempt(
            f"no size above {limit}", with_value(search.tree, *((path, min(size, limit)) for path, size in sizes(search.tree)))
        ):
            break
    for size in sorted({size for _, size in sizes(search.tree)}, reverse=True):
        shrunk(search, [path for path, found in sizes(search.tree) if found == size], size)
    for path, size in reversed(list(sizes(search.tree))):
        shrunk(search, [path], size)


def powers(size: int) -> Iterator[int]:
    """1, 2, 4, ... below a size: the smaller an experiment, the less time it takes to try."""
    power = 1
    while power < size:
        yield power
        power *= 2


def shrunk(search: Search, places: list[Trail], size: int) -> None:
    """The same smaller size at some places: the smallest power of two that will do, and from there down one by one."""
    for less in (*powers(size), size - 1):
        what = f"{', '.join(map(dotted, places))} = {less}"
        if less and search.attempt(what, with_value(search.tree, *((path, less) for path in places))):
            shrunk(search, places, less)
            return


def without_key(tree: Tree, path: Trail) -> Tree:
    """A copy that lacks a key, if it had it."""
    return without(tree, path) if there(tree, path) else tree
