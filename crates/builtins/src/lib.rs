//! linchpin-builtins.
