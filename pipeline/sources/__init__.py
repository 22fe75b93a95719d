"""Reading: every format to rows with their place. What the rows mean is decided elsewhere.

A new format or collection is one new file here, registered in it, and one import below.
"""

from pipeline.sources import (
    chinese_reviews,
    chitchat,
    csv_files,
    docstring_summaries,
    documentation,
    factbook,
    factbook_questions,
    french_messages,
    json_files,
    movie_reviews,
    parquet_files,
    text_files,
    translations,
    tweets,
    web_pages,
)
from pipeline.sources.base import Row, sound
from pipeline.sources.reading import bytes_of, parts, read, read_all, read_splits

__all__ = [
    "Row",
    "bytes_of",
    "chinese_reviews",
    "chitchat",
    "csv_files",
    "docstring_summaries",
    "documentation",
    "factbook",
    "factbook_questions",
    "french_messages",
    "json_files",
    "movie_reviews",
    "parquet_files",
    "parts",
    "read",
    "read_all",
    "read_splits",
    "sound",
    "text_files",
    "translations",
    "tweets",
    "web_pages",
]
