"""All that is about this homework: what an instructor edits."""
