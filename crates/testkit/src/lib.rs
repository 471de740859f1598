//! linchpin-testkit.
