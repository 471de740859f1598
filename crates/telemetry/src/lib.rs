//! linchpin-telemetry.
