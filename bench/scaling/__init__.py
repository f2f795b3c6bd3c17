"""How many nodes, databases and NATS servers a site needs: a simulation fed with measured costs."""
