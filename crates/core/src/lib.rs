//! linchpin-core.
