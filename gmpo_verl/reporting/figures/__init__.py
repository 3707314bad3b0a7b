"""The figures of a report, one module a subject; `catalogue` lists them in the page's order."""
