"""Plan the arms, call the two workshops, write the record."""
