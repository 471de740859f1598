//! linchpin-goplugin.
