//! linchpin-storage.
