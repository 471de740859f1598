//! linchpin-catalog.
