"""Every metric changes when it should, and is documented on the operations page."""
