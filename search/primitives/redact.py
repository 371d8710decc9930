"""Passwords and tokens: how they are recognized, and how they are kept out of what is written down."""

import os
import re

FORMS = re.compile(
    rb"[a-z][a-z0-9+.-]{0,30}://[^\s/:@\"'<>]*:[^\s/:@\"'<>]+@"  # an address with a password
    rb"|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50}|glpat-[\w-]{20}|hf_[A-Za-z0-9]{34}"
    rb"|trialbook_[\w-]{43}"
    rb"|AKIA[0-9A-Z]{16}|xox[abp]-[\w-]{20}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
NAMES = re.compile(
    "PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY|PRIVATE_?KEY|CREDENTIAL"
)  # of variables that hold one
LEAST = 8  # letters: a shorter value occurs by chance
HIDDEN = "[hidden]"


def redacted(text: str) -> str:
    """A text without what is a secret by its form, or is one of this process's environment."""
    text = FORMS.sub(HIDDEN.encode(), text.encode(errors="surrogatepass")).decode(errors="surrogatepass")
    for secret in _of_environment():
        text = text.replace(secret, HIDDEN)
    return text


def held(content: bytes) -> bool:
    """Whether bytes hold a secret."""
    return bool(FORMS.search(content)) or any(secret.encode() in content for secret in _of_environment())


def _of_environment() -> list[str]:
    return [
        value
        for name, value in os.environ.items()
        if NAMES.search(name.upper()) and len(value) >= LEAST and not os.path.exists(value)
    ]
