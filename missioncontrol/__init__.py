"""The shared core of Mission Control; imports none of the three servers."""
