//! [`Secret`]: a value that is wiped when dropped and never printed. Code that needs the value says so with
//! [`Secret::expose`], which is easy to search for in review.

use std::fmt;

use zeroize::Zeroize;

/// Holds a value that must not reach a log, an error text or freed memory.
///
/// There is no `Display`, `Debug` prints `Secret(redacted)`, and the value is overwritten when dropped. Moving a
/// `Secret` does not wipe the place it was moved from; keep large secrets behind a pointer (`Vec`, `String`, `Box`).
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. The caller takes care that it goes nowhere it could be read.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Equality takes the same time wherever the values differ; only their length shows.
impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        crate::constant_time_eq(self.0.as_ref(), other.0.as_ref())
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

/// Lets `bytes::Bytes::from_owner` share a secret buffer that is wiped when its last user is gone.
impl<T: Zeroize + AsRef<[u8]>> AsRef<[u8]> for Secret<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn equality_compares_values() {
        let secret = Secret::new(vec![1_u8, 2, 3]);
        assert_eq!(secret, Secret::new(vec![1_u8, 2, 3]));
        assert_ne!(secret, Secret::new(vec![1_u8, 2, 4]));
        assert_ne!(secret, Secret::new(vec![1_u8, 2]));
    }
}
