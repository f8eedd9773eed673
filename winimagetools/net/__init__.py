"""All that uses the network: downloads with their cache, image services, registries."""
