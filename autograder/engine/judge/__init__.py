"""The trusted side: decides verdicts; never imports torch or student code."""
