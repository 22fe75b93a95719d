"""The language of a text; its place until it comes."""


def language_of(text: str) -> str:
    return ""
