"""What routers that people run today would have chosen for the held-out queries."""
