"""Data that ships with the package; ORIGIN.md says where each file comes from."""
