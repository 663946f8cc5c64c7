"""What is kept no longer, what stays whatever its age, and a record of all that went."""
