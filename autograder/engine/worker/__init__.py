"""The untrusted side: the processes in which student code runs, and the wire to them."""
