"""Clean documents from rows of text: cleaning, duplicates, personal data, split, datasheet."""
