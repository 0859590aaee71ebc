"""The code behind the three drivers `run_flow.py`, `run_gan.py`, `run_conditional_gan.py`."""
