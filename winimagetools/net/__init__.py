"""The one door to the network, and the cache behind it."""
