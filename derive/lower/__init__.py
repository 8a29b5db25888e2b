"""Index expressions → an array program: which operations, in which order, into which memory."""
