"""Reports of a period: what is in one, and how it is written as text, CSV, JSON, HTML, a workbook and a chart."""
