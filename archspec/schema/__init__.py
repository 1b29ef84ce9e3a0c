"""Fields of the language as pydantic types: each field declares its sort, and the sort decides what a text is."""
