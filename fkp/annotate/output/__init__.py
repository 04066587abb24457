"""The output of a run: tables, other tools' formats, the page, the journal."""
