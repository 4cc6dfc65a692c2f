"""``skfair`` and ``python -m skfair``: what skfair does from the command line."""

import sys
from collections.abc import Sequence

import skfair
from skfair._installation import check_folder


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, default=None
        Arguments; those of the process if ``None``.

    Returns
    -------
    int
        Exit code.
    """
    try:
        for folder in skfair.__path__:
            check_folder(folder)
        if skfair.__file__ is None:
            raise ImportError(
                "files of skfair-torch are missing, as after the removal of another project that "
                "installed a package called skfair: python -m pip install --force-reinstall "
                "--no-deps skfair-torch"
            )
    except ImportError as error:  # another project's __init__ does not look
        print(f"skfair: error: {error}", file=sys.stderr)
        return 1
    from .audit._command import main as run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
