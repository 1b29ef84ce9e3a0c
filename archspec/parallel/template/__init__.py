"""The file that splits a module over ranks, without the tables of a plan."""
