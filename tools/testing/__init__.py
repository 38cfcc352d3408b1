"""The parts of scripts/test: suites that each return how many checks passed and which failed."""
