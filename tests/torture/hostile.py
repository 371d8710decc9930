"""Hostile values for the command line: shell code, odd paths, odd texts and odd numbers."""

LONG = 100_000  # letters of an argument: the system takes no more than 131,071

TOUCH = (
    "$(touch canary)",
    "$(shell touch canary)",
    "$$(touch canary)",
    "${shell touch canary}",
    "`touch canary`",
    "; touch canary;",
    "'; touch canary; '",
    '"; touch canary; "',
    "| touch canary",
    "&& touch canary",
    "\ntouch canary\n",
    "> canary",
    "$(eval X:=$(shell touch canary))",
    "__import__('os').system('touch canary')",
    "{0.__class__}",
)
PATHS = (
    "..",
    "../..",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "/dev/null",
    "/dev/null/below",
    "/proc/self/mem",
    "/nowhere/at/all",
    "~",
    "~root",
    ".",
    "./",
    "*",
    "?[a-z]{a,b}",
    "C:\\x",
    "file:///x",
    "CON",
    ".hidden",
)
TEXTS = (
    "",
    " ",
    "\t",
    "\n",
    "\r",
    "a\nb",
    "a\rb",
    "\\",
    "\\\\",
    "'",
    '"',
    '"""',
    "$",
    "$$",
    "%s%n",
    "-",
    "--",
    "---",
    "-h",
    "--help",
    "--debug",
    "-1",
    "=",
    "==",
    "#",
    "[/]",
    "[/x]",
    "[red]x",
    "\u2028",
    "\u202etxt.exe",
    "\u200f",
    "\ufeff",
    "\x1b[2J",
    "\x07",
    "\udcff",
    "a\udc80b",
    "é",
    "e\u0301",
    "😀",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "None",
    "True",
    "null",
)
NUMBERS = (
    "0",
    "1",
    "-0",
    "+1",
    "00",
    "007",
    "1.",
    ".5",
    "1e3",
    "1e309",
    "-1e309",
    "1e-400",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "٣",
    "１",
    "²",
    "0x10",
    "0b1",
    "1_000",
    "1,5",
    " 1",
    "1 ",
    "1\n",
    "9" * 12,
    "9" * 13,
    "9" * 5000,
    "0-9999999",
    "3-1",
    "0-",
    "-3",
    "0,,1",
    "0-1,1-2, 3 - 4",
    "2026-02-30",
    "0001-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "HEAD",
    "HEAD^{/x",
    "--all",
    "@{-1}",
)
HOSTILE = (TOUCH, PATHS, TEXTS, NUMBERS)
LETTERS = (
    "azAZ09 .,:;-_=+*/\\|'\"`$(){}[]<>&!?#%~^@\t\n\r\x1b\x7f\x85"
    "éßقא٣\u200f\u202e\u2028\u2029\ufeff\udc80\udcff😀"
)


def hostile(random):
    """Draw a value that nobody types by mistake."""
    choice = random.random()
    if choice < 0.75:
        return random.choice(random.choice(HOSTILE))
    if choice < 0.8:
        return random.choice(LETTERS) * (LONG // 4)
    letters = [random.choice(LETTERS) for _ in range(random.randrange(1, 20))]
    return "".join(letters)


def misspelt(random, text):
    """Add, remove or change one letter of a text."""
    place, letter = random.randrange(len(text) + 1), random.choice("aZ0-_.é ")
    return text[:place] + random.choice((letter, "")) + text[place + random.randrange(2) :]
