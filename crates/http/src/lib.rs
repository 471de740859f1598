//! linchpin-http.
