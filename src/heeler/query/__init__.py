"""What people ask for, as text, as a tree, and as what engines understand."""
