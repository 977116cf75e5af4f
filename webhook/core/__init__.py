"""The pure core: what images offer, what nodes take, and what follows. No I/O, no clock, no environment."""
