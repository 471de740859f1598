//! linchpin-formats.
