"""kubectl, run by hand as it were, against both sides."""
