"""Our code against PyTorch's: a chapter of formulas is a file of rows, `harness` compares, `table` writes it down."""
