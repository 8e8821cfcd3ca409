"""Random number generators: one counter-based stream per trace, and CLRS-30's Mersenne Twister, compiled."""
