"""What grades a submission; it knows no homework and is told where one lies."""
