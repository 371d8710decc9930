"""Check what grading needs: the libraries, and whether there is a screen."""

import importlib
from collections.abc import Callable

from search import paths
from search.course.backend import wrong_backend

NEEDED = ("torch", "numpy", "matplotlib")


def check(say: Callable[[str], object]) -> int:
    """Name the versions, and draw. Returns the exit code: 0 where nothing is missing."""
    missing = []
    for name in NEEDED:
        try:
            say(f"{name} {importlib.import_module(name).__version__}")
        except ImportError as error:
            say(f"{name} is missing: {error}")
            missing.append(name)
        except ValueError:
            raise wrong_backend() from None
    if not missing:
        spin(say)
    return 1 if missing else 0


def spin(say: Callable[[str], object]) -> None:
    """Spin a line segment twice in a window; without a screen, write it as PNG."""
    from search.course.pictures import Window, spinning

    window = Window()
    if window.live:
        say("A line segment should be spinning in a window now.")
        for degrees in range(0, 720, 3):
            if window.live:
                window.paint(spinning, degrees)
    else:
        window.paint(spinning, 60)
        say(f"No screen: wrote {window.write(paths.pictures() / 'spinning.png')}")
    window.close()
