"""A client's request becomes a relayed answer."""
