"""What is installed: other packages in the same folder, and the versions of what skfair uses."""

from __future__ import annotations

import os
import platform
import sys

# Projects of the index that install a package called skfair as well, by a file that only they have.
OTHER_PROJECTS = {
    "scikit-fair": ("experimentation", "__init__.py"),
    "skfair": ("emitters", "__init__.py"),
}
PACKAGES = (
    *("skfair-torch", "torch", "skorch", "scikit-learn", "fairlearn", "numpy", "scipy", "pandas"),
    *("polars", "joblib", "threadpoolctl", "matplotlib", "skops", "skl2onnx", "onnxruntime"),
    *("distributed", "pip"),
)
ADVICE = (
    "python -m pip uninstall --yes {} skfair-torch, then python -m pip install skfair-torch; use "
    "the other one in an environment of its own."
)


def check_folder(folder: str) -> None:
    """See to it that the files of the package are its own.

    Parameters
    ----------
    folder : str
        Where the package is.

    Raises
    ------
    ImportError
        If another project has put files there, some of which took the place of files of ours, or
        the other way round.
    """
    for project, parts in OTHER_PROJECTS.items():
        if os.path.exists(os.path.join(folder, *parts)):
            raise ImportError(
                f"skfair-torch and {project} are both installed in {folder}, where each has "
                f"overwritten files of the other: {ADVICE.format(project)}"
            )


def show_versions() -> None:
    """Print what a report of a problem needs: system, versions, devices and threads.

    Examples
    --------
    >>> import skfair
    >>> skfair.show_versions()  # doctest: +ELLIPSIS
    System
      python: ...
    """
    from importlib.metadata import PackageNotFoundError, version

    import torch
    from threadpoolctl import threadpool_info

    print("System")
    print(f"  python: {' '.join(sys.version.split())}")
    print(f"  executable: {sys.executable}")
    print(f"  machine: {platform.platform()}, {os.cpu_count()} processors")
    print("\nPackages")
    for name in PACKAGES:
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "not installed"
        print(f"  {name}: {found}")
    print("\nPyTorch")
    n_devices = torch.cuda.device_count()
    devices = [torch.cuda.get_device_name(device) for device in range(n_devices)]
    print(
        f"  CUDA: {torch.version.cuda or 'not built in'}; devices: {', '.join(devices) or 'none'}"
    )
    print(f"  threads: {torch.get_num_threads()}")
    print("\nThread pools")
    for pool in threadpool_info():
        print(f"  {pool['internal_api']}: {pool['num_threads']} threads, {pool['filepath']}")
