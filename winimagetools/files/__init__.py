"""Files of this host: copying, holes, names, space, the private folder of a build."""
