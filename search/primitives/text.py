"""Text for people: a duration, a value, a message in one line."""

from collections.abc import Mapping

MAX_VALUE_LETTERS = 200  # of a value in a line that holds several


def readable(value: object, letters: int = 1000) -> str:
    """A value in one line: escapes for what cannot be printed, and no middle where it is too long."""
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(value))
    return text if len(text) <= letters else f"{text[: letters // 2]} ... {text[-letters // 3 :]}"


def one_line(error: BaseException, letters: int = 200) -> str:
    """An exception in one line of at most so many letters."""
    try:
        message = " ".join(str(error).split())[:letters]
    except BaseException as another:  # a user's class may fail to show itself
        message = f"(its message cannot be shown: {type(another).__name__})"
    name = type(error).__name__
    return readable(f"{name}: {message}"[:letters] if message else name)[:letters]


def duration(seconds: float) -> str:
    """Seconds as people say them: "4.2 s", "42 s", "7 min 03 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def settings(params: Mapping[str, object]) -> str:
    """Hyperparameters in one line: "layers 2, learning_rate 0.00312"."""
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {readable(value, MAX_VALUE_LETTERS)}"
        for name, value in params.items()
    )
