"""What is committed of a run: small tables of numbers, one row a cell, so that git shows which number moved.

Every cell is (table, step, kind, name, arm) -> value. Losses and metrics are of the free pass, tensors of the forced pass: the norm
of every loss, output, gradient and update, and how far each gradient is from the reference's, beside the floor. Times stand as
ratios, since seconds belong to a machine.
"""

from __future__ import annotations

from pathlib import Path

import pandas

from ..tables import Run

#: columns that say which cell a row is; every other column is an arm
KEYS = {
    "losses": ["step"],
    "metrics": ["step", "split", "metric"],
    "tensors": ["step", "kind", "tensor"],
    "errors": ["step", "tensor"],
    "timings": ["quantity"],
}
KINDS = ("loss", "outputs", "gradients", "updates")
#: evaluations of the metrics that are kept
EVALUATIONS = 5


def committed(run: Run) -> dict[str, pandas.DataFrame]:
    """The tables of a run that are committed: a column for each arm that ran, the reference's forms first."""
    return {
        "losses": losses(run),
        "metrics": metrics(run),
        "tensors": tensors(run),
        "errors": errors(run),
        "timings": timings(run),
    }


def losses(run: Run) -> pandas.DataFrame:
    """Loss of the free pass at the forced steps."""
    table = run.losses[run.losses["step"].isin(set(run.agreement["step"]))]
    return wide(run, table, "losses", "loss")


def metrics(run: Run) -> pandas.DataFrame:
    """Metrics at EVALUATIONS points, the last one included."""
    steps = sorted(set(run.metrics["step"]))
    stride = max(1, len(steps) // EVALUATIONS)
    kept = set(steps[::-1][::stride][:EVALUATIONS])
    return wide(run, run.metrics[run.metrics["step"].isin(kept)], "metrics", "value")


def tensors(run: Run) -> pandas.DataFrame:
    """Norms of the tensors of the forced pass."""
    return wide(run, run.agreement[run.agreement["kind"].isin(KINDS)], "tensors", "norm")


def errors(run: Run) -> pandas.DataFrame:
    """Relative errors of the gradients, two digits, beside the floor of the first form."""
    table = run.gradients[~run.gradients["arm"].str.startswith("reference")]
    found = wide(run, table.assign(error=table["error"].map(two_digits)), "errors", "error")
    if len(table):
        floor = table[table["arm"] == table["arm"].iloc[0]]["floor"].map(two_digits)
        found.insert(2, "floor", floor.to_numpy())
    return found


def two_digits(value: float) -> float:
    """A number with two significant digits."""
    return float(f"{value:.1e}")


def timings(run: Run) -> pandas.DataFrame:
    """Step time and peak memory as ratios to the base arm."""
    table = run.timings.merge(run.memory, on="arm", how="left")
    rows = []
    for quantity, column in (("step", "step_us"), ("peak memory", "peak_mib")):
        for variant, part in table.groupby("variant", sort=False):
            values = part.set_index("arm")[column].astype(float)
            if column == "peak_mib" and variant != table["variant"].iloc[0]:
                continue
            base = values.get(run.base)
            ratios = part.set_index("arm")["ratio"].astype(float) if column == "step_us" else values / base
            name = f"{quantity} / {run.base}" + (f" ({variant} dropout)" if variant != "plain" and column == "step_us" else "")
            rows += [{"quantity": name, "arm": arm, "value": round(value, 2)} for arm, value in ratios.items() if value == value]
    return wide(run, pandas.DataFrame(rows, columns=["quantity", "arm", "value"]), "timings", "value")


def wide(run: Run, table: pandas.DataFrame, name: str, value: str) -> pandas.DataFrame:
    """Long rows as one column an arm, in the run's order, references first."""
    keys = KEYS[name]
    if table.empty:
        return pandas.DataFrame(columns=keys)
    found = table.pivot_table(index=keys, columns="arm", values=value, sort=False, observed=True).reset_index()
    order = sorted(run.records, key=lambda record: not record.is_reference)
    arms = [record.arm for record in order if record.arm in found.columns]
    result: pandas.DataFrame = found[[*keys, *arms]]
    return result


def write(folder: Path, tables: dict[str, pandas.DataFrame]) -> None:
    """Write the tables as CSV, floats so that they read back exactly."""
    for name, table in tables.items():
        beside = folder / f"{name}.csv.part"
        table.to_csv(beside, index=False, lineterminator="\n")
        beside.replace(folder / f"{name}.csv")


def read(folder: Path) -> dict[str, pandas.DataFrame]:
    """Read the tables.

    Raises:
        OSError, ValueError: a file is missing or damaged.
    """
    return {name: pandas.read_csv(folder / f"{name}.csv", float_precision="round_trip") for name in KEYS}
