"""The local environment: real control planes without Docker, and simulated nodes."""
