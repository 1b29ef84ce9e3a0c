"""`archspec lsp`: the answers of `archspec.editing`, over the Language Server Protocol."""
