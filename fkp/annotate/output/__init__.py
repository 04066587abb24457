"""What a run leaves: tables, other tools' formats, the page, the journal."""
