"""Charts as SVG that needs nothing else: no script, no font, no library."""
