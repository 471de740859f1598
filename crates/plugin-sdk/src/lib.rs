//! linchpin-plugin-sdk.
