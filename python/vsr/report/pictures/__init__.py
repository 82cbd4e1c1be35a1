"""The charts, one file each: each makes its data an Altair chart and knows nothing of pages."""
