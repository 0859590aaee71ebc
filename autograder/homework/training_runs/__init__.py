"""What goes on beside the checks: training runs, and a look at devices."""
