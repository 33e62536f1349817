"""The project's own attacks on what it trains: what a promise is worth is tried, too."""
