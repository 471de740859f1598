//! linchpin-barrier.
