"""Killing runs at chosen points, and comparing what they leave behind."""
