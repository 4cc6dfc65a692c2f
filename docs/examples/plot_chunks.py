"""
Training on a table that is larger than memory
==============================================

``partial_fit`` trains on one chunk of rows at a time, so that no more than a chunk has to be in
memory. A table is written to disk, in Parquet if pyarrow is installed and in CSV otherwise, and a
fair network is trained on it in two passes: the first one for means and standard deviations, the
second one for the network.
"""

# %%
# A table on disk
# ---------------
#
# The first two columns tell about the label, "group" is the sensitive feature, and group "a" is
# worse off.

import resource
import sys
import tempfile
import tracemalloc
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from skfair import FaiRNClassifier
from skfair.metrics import recourse_gap

N_CHUNKS, N_ROWS, N_FEATURES = 40, 5_000, 10
FEATURES = [f"x{i}" for i in range(N_FEATURES)]


def make_chunk(seed):
    """Rows of a table: features, label and group."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], N_ROWS)
    X = rng.normal(size=(N_ROWS, N_FEATURES))
    X[:, 0] += np.where(group == "a", -0.5, 0.5)
    y = X[:, 0] + X[:, 1] + rng.normal(size=N_ROWS) > 0.5
    return pd.DataFrame(X, columns=FEATURES).assign(label=y.astype(int), group=group)


def write_table(folder):
    """Write the chunks into one file, one after the other."""
    if not find_spec("pyarrow"):
        path = Path(folder, "table.csv")
        for seed in range(N_CHUNKS):
            make_chunk(seed).round(4).to_csv(path, mode="a", header=seed == 0, index=False)
        return path
    import pyarrow
    import pyarrow.parquet

    path, writer = Path(folder, "table.parquet"), None
    for seed in range(N_CHUNKS):
        table = pyarrow.Table.from_pandas(make_chunk(seed))
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()
    return path


def read_chunks(path):
    """Read a file of either kind, ``N_ROWS`` rows at a time."""
    if path.suffix == ".csv":
        yield from pd.read_csv(path, chunksize=N_ROWS)
        return
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=N_ROWS):
            yield batch.to_pandas()


# %%
# Two passes
# ----------
#
# ``partial_fit`` is told all classes at the first call, and adds groups as they come. Each call is
# an epoch of the chunk's rows: the warm-up lasts for ``warmup * max_epochs`` of them. The rows of a
# file should be in random order, as here; a network that sees one group, or one year, after the
# other forgets.
#
# Memory is measured from the second chunk on, as the first one also loads what Python loads once:
# the peak of what Python has allocated in each chunk (``tracemalloc``), and by how much the peak of
# the whole process has grown (``ru_maxrss``), torch's part included.


def peak_of_process():
    """Peak memory of the process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


peaks, of_process = [], []
with tempfile.TemporaryDirectory() as folder:
    path = write_table(folder)
    scaler = StandardScaler()
    for chunk in read_chunks(path):
        scaler.partial_fit(chunk[FEATURES])

    model = FaiRNClassifier(max_epochs=N_CHUNKS, batch_size=500, random_state=0)
    for chunk in read_chunks(path):
        model.partial_fit(
            scaler.transform(chunk[FEATURES]),
            chunk["label"],
            classes=[0, 1],
            sensitive_features=chunk["group"],
        )
        if tracemalloc.is_tracing():
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
            tracemalloc.reset_peak()
        else:
            tracemalloc.start()
        of_process.append(peak_of_process())
    tracemalloc.stop()
    print(f"{path.suffix[1:]} file of {path.stat().st_size / 2**20:.0f} MB")

table = N_CHUNKS * N_ROWS * N_FEATURES * 8 / 2**20
print(f"features of all rows       {table:6.1f} MB")
print(f"peak in the second chunk   {peaks[0]:6.1f} MB")
print(f"peak in the last chunk     {peaks[-1]:6.1f} MB")
print(f"growth of the process      {of_process[-1] - of_process[1]:6.1f} MB, second to last chunk")

# %%
# Memory stays that of a chunk; only the history grows, by a row a chunk.

plt.figure(figsize=(7, 3), layout="constrained")
plt.plot(range(2, N_CHUNKS + 1), peaks, "o-", color="#0072B2", label="peak in the chunk")
plt.axhline(table, color="#D55E00", linestyle="--", label="features of all rows")
plt.gca().set(xlabel="chunk", ylabel="MB", ylim=(0, None))
plt.legend()
plt.show()

# %%
# The network on rows it has not seen:

test = make_chunk(N_CHUNKS)
X_test = scaler.transform(test[FEATURES])
gap = recourse_gap(model.decision_function(X_test), sensitive_features=test["group"])
print(f"accuracy {model.score(X_test, test['label']):.3f}, recourse gap {gap:.3f} logits")
