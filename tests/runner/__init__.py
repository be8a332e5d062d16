"""What `./dev test` is made of: a plan of jobs, a scheduler for them, and the report."""
