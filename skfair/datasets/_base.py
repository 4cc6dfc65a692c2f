"""How a data set is found, downloaded, checked and read; its own file only describes it."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

TIMEOUT_SECONDS = 60  # without an answer from a publisher

PARAMETERS = {
    "data_home": [str, os.PathLike, None],
    "as_frame": ["boolean"],
    "return_X_y": ["boolean"],
    "download_if_missing": ["boolean"],
}

SHARED_DOCSTRING = """\
Parameters
----------
data_home : str or path-like, default=None
    Folder that holds ``{name}.csv.gz``, or in which a download is stored. ``None`` means
    the environment variable ``SKFAIR_DATA``, or ``~/skfair_data`` if that is not set.
as_frame : bool, default=True
    Whether to return pandas objects (categorical columns have dtype ``category``) rather
    than NumPy arrays (of dtype object where columns of several types meet).
return_X_y : bool, default=False
    Whether to return ``(data, target)`` rather than a ``Bunch``.
download_if_missing : bool, default=True
    Whether a missing file is downloaded from its publisher.

Returns
-------
dataset : :class:`~sklearn.utils.Bunch` or tuple of (data, target)
    With the attributes

    - ``data``: DataFrame or ndarray of shape ({n_samples}, {n_features});
      the sensitive columns are still in it.
    - ``target``: Series or ndarray of shape ({n_samples},), column ``{target}``.
    - ``sensitive_features``: DataFrame or ndarray of shape ({n_samples}, n_sensitive_features).
    - ``feature_names``, ``target_names``: list of str, the columns of data and of target.
    - ``frame``: DataFrame of data and target, or ``None`` if ``as_frame=False``.
    - ``DESCR``: str, what the data are, where they come from and on what terms.
    - ``split``: Series or ndarray of "train" and "test", where the source fixes one.

Raises
------
OSError
    If the file is missing and may not or cannot be downloaded, or if what was downloaded is
    not what was recorded (nothing is stored then).
ValueError
    If the file is there but is not a gzip-compressed CSV file with the expected columns.

Notes
-----
{description}"""


@dataclass(frozen=True)
class DataSet:
    """What sets one data set apart.

    Attributes
    ----------
    name : str
        The file is ``<data_home>/<name>.csv.gz``.
    urls : tuple of str
        The publisher's addresses.
    sha256 : str
        Hash of the *decompressed* CSV: gzip's bytes depend on the version of zlib.
    convert : callable
        ``convert(*raw) -> DataFrame`` of strings: what the publisher sends, one bytes object an
        address, in the form of our CSV file.
    features, numeric : str
        Columns of data, and those of them that are not categories, separated by spaces.
    target : str
        Column of the labels.
    sensitive : callable
        ``sensitive(table) -> DataFrame`` of the sensitive features.
    n_samples : int
        Rows of the file.
    description : str
        Source, terms, sensitive attributes and sizes.
    split : bool, default=False
        Whether the file has a column ``split``.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    convert: Callable[..., pd.DataFrame]
    features: str
    numeric: str
    target: str
    sensitive: Callable[[pd.DataFrame], pd.DataFrame]
    n_samples: int
    description: str
    split: bool = False

    @property
    def columns(self) -> list[str]:
        """Names of the columns of the file."""
        return [*self.features.split(), self.target, *["split"] * self.split]


def fetcher(dataset: DataSet) -> Callable[[Callable], Callable]:
    """Validate a public fetch function's parameters and fill ``{shared}`` in its docstring."""

    def decorate(function: Callable) -> Callable:
        shared = SHARED_DOCSTRING.format(**vars(dataset), n_features=len(dataset.features.split()))
        if function.__doc__:  # absent under python -OO
            function.__doc__ = f"{inspect.cleandoc(function.__doc__)}\n".replace("{shared}", shared)
        return validate_params(PARAMETERS, prefer_skip_nested_validation=True)(function)

    return decorate


def load(
    dataset: DataSet,
    data_home: str | os.PathLike | None,
    as_frame: bool,
    return_X_y: bool,
    download_if_missing: bool,
) -> Bunch | tuple:
    """Return the data set in scikit-learn's form, downloading its file first where need be."""
    folder = data_home or os.environ.get("SKFAIR_DATA") or "~/skfair_data"
    path = Path(folder).expanduser() / f"{dataset.name}.csv.gz"
    if not path.exists():
        if not download_if_missing:
            raise OSError(
                f"{path} does not exist and download_if_missing=False. Put the file there, name "
                "its folder by data_home= or $SKFAIR_DATA, or set download_if_missing=True to get "
                f"it from {' and '.join(dataset.urls)}."
            )
        store(download(dataset), path)
    table = read(dataset, path)

    target = table[dataset.target]
    data = table[dataset.features.split()]
    parts = {"data": data, "target": target, "sensitive_features": dataset.sensitive(table)}
    if dataset.split:
        parts["split"] = table["split"]
    if not as_frame:
        parts = {name: part.to_numpy() for name, part in parts.items()}
    if return_X_y:
        return parts["data"], parts["target"]
    return Bunch(
        **parts,
        frame=pd.concat([data, target], axis=1) if as_frame else None,
        feature_names=list(data.columns),
        target_names=[dataset.target],
        DESCR=dataset.description,
    )


def read(dataset: DataSet, path: Path) -> pd.DataFrame:
    """Read the described columns of a stored file."""
    try:
        table = pd.read_csv(path, compression="gzip", keep_default_na=False, na_values=[""])
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} is not a gzip-compressed CSV file ({error}). Delete it to have it downloaded."
        ) from error
    if missing := [column for column in dataset.columns if column not in table]:
        raise ValueError(f"{path} lacks the columns {missing}. Delete it to have it downloaded.")
    categorical = {*dataset.features.split()} - {*dataset.numeric.split()}
    return table[dataset.columns].astype(dict.fromkeys(categorical, "category"))


def download(dataset: DataSet) -> bytes:
    """Return the CSV made from what the publisher sends, if it is the recorded one."""
    raw = []
    for url in dataset.urls:
        try:
            with urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                raw.append(response.read())
        except (OSError, HTTPException) as error:
            raise OSError(f"{dataset.name} could not be downloaded from {url}: {error}") from error
    try:
        content = dataset.convert(*raw).to_csv(index=False, lineterminator="\n").encode()
        received = hashlib.sha256(content).hexdigest()
    except (LookupError, ValueError) as error:
        received = f"no such table at all ({error})"
    if received != dataset.sha256:
        raise OSError(
            f"What {' and '.join(dataset.urls)} sent is not the recorded {dataset.name} data: "
            f"expected SHA-256 {dataset.sha256}, received {received}. Nothing was stored."
        )
    return content


def store(content: bytes, path: Path) -> None:
    """Write a gzip file that depends on its content only, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        part.write_bytes(gzip.compress(content, mtime=0))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
