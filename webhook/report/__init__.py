"""What the command line prints: table and JSON."""
