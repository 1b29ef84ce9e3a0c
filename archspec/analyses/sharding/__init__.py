"""How a graph is split over ranks: what each rank holds and computes, and where ranks exchange values."""
