//! linchpin-plugin-host.
