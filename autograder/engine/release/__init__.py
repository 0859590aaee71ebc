"""The files that leave the project: template, handout zip, Gradescope bundle, guide.

May import: grading, submission.imports, catalogue.audit and local.planned; pandoc for the guide.
"""
