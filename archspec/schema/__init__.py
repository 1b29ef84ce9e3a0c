"""Fields of the language as pydantic types: each field declares its sort, which determines how its text is parsed."""
