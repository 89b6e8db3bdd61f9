"""x"""


def default_remote(w):
    return "origin"
