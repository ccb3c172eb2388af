"""Policies written in Rego: one question, one answer, behind one interface, and refusal whenever in doubt."""
