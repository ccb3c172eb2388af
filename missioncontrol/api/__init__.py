"""Every kind this project serves or reads, and what is generated from them; imports nothing of ours."""
