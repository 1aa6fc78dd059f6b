"""The outside: everything that speaks the language of a cloud's services."""
