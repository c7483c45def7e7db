"""Methods by family, one method or close family a file, each a composition of parts."""
