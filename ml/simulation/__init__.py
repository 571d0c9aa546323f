"""Seeded card payments: customers with habits, merchants with price levels, and labelled attacks."""
