"""The commands, a module each; only this package prints."""
