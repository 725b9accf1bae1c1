"""Seeing through a graph: its quantities, the chain rule with its numbers, the drawing, the page."""
