"""Model types of Hugging Face, one a file, named after the `model_type` of its configuration (`-` written as `_`)."""
