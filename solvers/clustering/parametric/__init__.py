"""The partition along a ray: every breakpoint if the model separates, else brackets of some."""
