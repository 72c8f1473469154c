"""What the word in `error[word]` means, and what one does about it."""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, str] = {
    "file": "a file cannot be read as what it is said to be: it is not there, is empty, lacks a column or an array, or holds values that "
    "are no finite numbers. Paths in an experiment are relative to the experiment's folder.",
    "encoding": "the file is not UTF-8. Save it as UTF-8 in your editor.",
    "syntax": "the file is not TOML: a quote, a bracket or a comma is missing, or it is YAML or JSON. The mark stands where reading "
    "stopped; what is wrong may stand just before it.",
    "set": "a --set is not KEY=VALUE, or its key leads nowhere: train.epochs=1, model.layers.0.units=8.",
    "unknown-key": "the thing that the key stands in has no key of that name. Other frameworks' names are known and translated; "
    "`explain TYPE` shows the keys that there are.",
    "unknown-type": "there is no layer, loss, optimizer, ... of that name. `list layers`, `list losses`, ... show them.",
    "unknown-choice": "the key takes one of a few words, and this is none of them.",
    "missing-key": "a key has no default, mostly because frameworks differ in theirs: write down which you mean.",
    "wrong-type": "a number stands where text is wanted, text where a number is, or a single value where a list is. TOML tells 2 from 2.0, "
    'and "2" from both.',
    "out-of-range": "a number is below or above what makes sense for its key, or float32 cannot hold it: hyper-parameters are rounded to "
    "float32 so that they mean the same in every framework.",
    "duplicate": "a word stands twice in a list whose words have to differ.",
    "conflict": "two keys are given that exclude each other.",
    "name": "a name is no name (letters, digits, _, - and .), is taken twice, or is one that nothing has.",
    "arm": "an arm is backend[:mode][@environment]; its backend, mode or environment is not known. `list arms` and `list environments` "
    "show them.",
    "shape": "the shapes of layers, data or targets do not go together: a layer cannot take what the one before it gives, or the output is "
    "not what the targets are. `check` shows the shapes of a model that is right.",
    "inputs": "a layer takes another number of inputs than it is given.",
    "ragged": "lists that make an array are not equally long.",
    "value": "the data hold values that this experiment cannot use: no whole numbers where an embedding needs them, or too large for "
    "float32.",
    "targets": "loss and targets do not go together: a cross-entropy takes classes, an error of values takes values.",
    "model": "the model as a whole cannot be trained so: it has nothing to learn, or its end does not suit the loss.",
    "optimizer": "the optimizer cannot train this model.",
    "metric": "a metric cannot be taken of these targets: accuracy of values, r2 of classes.",
    "memory": "the parameters, their gradients and the optimizer's state in float64 do not fit into the memory that is free.",
}
