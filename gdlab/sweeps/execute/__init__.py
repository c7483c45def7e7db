"""The execution of a sweep: compiled programs, lanes on devices, and what is known of them."""
