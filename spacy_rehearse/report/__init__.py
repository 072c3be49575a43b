"""Reports: self-contained HTML pages, without scripts or fonts from elsewhere."""
