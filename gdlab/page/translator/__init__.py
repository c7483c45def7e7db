"""The translation of jaxprs to JavaScript: a function and an optimizer as programs of a page."""
