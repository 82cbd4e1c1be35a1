"""Files of other programs in our forms: one module a program, one entry each in `formats`."""
