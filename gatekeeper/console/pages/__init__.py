"""The pages, one module each: what it shows as a pure function, and the routes that ask for it."""
