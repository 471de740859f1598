//! linchpin-sys.
