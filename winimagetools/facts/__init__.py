"""What is known of Windows: releases, architectures, product keys. Data and look-ups only."""
