//! Expectations on answers. Each panics with the whole answer, at the line of the test.

use linchpin_client::Reply;
use serde_json::Value;

/// What a test expects of a [`Reply`]; every method returns it, so that they chain.
#[expect(
    clippy::return_self_not_must_use,
    reason = "an expectation is complete without its reply"
)]
pub trait Expect: Sized {
    /// The status is 2xx.
    #[track_caller]
    fn ok(self) -> Self;
    /// The status is exactly this.
    #[track_caller]
    fn is(self, status: u16) -> Self;
    /// There is exactly one error, and it reads exactly so.
    #[track_caller]
    fn error_is(self, text: &str) -> Self;
    /// An error contains this text.
    #[track_caller]
    fn error_has(self, text: &str) -> Self;
    /// A warning contains this text.
    #[track_caller]
    fn warns(self, text: &str) -> Self;
    /// There is no warning.
    #[track_caller]
    fn silent(self) -> Self;
    /// The value at a JSON pointer is this; absent counts as `null`.
    #[track_caller]
    fn has(self, pointer: &str, value: impl Into<Value>) -> Self;
    /// `data` has no such key.
    #[track_caller]
    fn lacks(self, key: &str) -> Self;
}

impl Expect for Reply {
    fn ok(self) -> Self {
        assert!(self.is_success(), "expected 2xx, got {}", show(&self));
        self
    }

    fn is(self, status: u16) -> Self {
        assert!(
            self.status() == status,
            "expected {status}, got {}",
            show(&self)
        );
        self
    }

    fn error_is(self, text: &str) -> Self {
        assert!(
            self.errors() == [text],
            "expected the error {text:?}, got {}",
            show(&self)
        );
        self
    }

    fn error_has(self, text: &str) -> Self {
        assert!(
            self.errors().iter().any(|error| error.contains(text)),
            "expected an error with {text:?}, got {}",
            show(&self)
        );
        self
    }

    fn warns(self, text: &str) -> Self {
        let found = self.warnings().iter().any(|warning| warning.contains(text));
        assert!(
            found,
            "expected a warning with {text:?}, got {}",
            show(&self)
        );
        self
    }

    fn silent(self) -> Self {
        assert!(
            self.warnings().is_empty(),
            "expected no warning, got {}",
            show(&self)
        );
        self
    }

    fn has(self, pointer: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        assert!(
            self.at(pointer) == value,
            "expected {value} at {pointer}, got {}",
            show(&self)
        );
        self
    }

    fn lacks(self, key: &str) -> Self {
        assert!(
            self.data().get(key).is_none(),
            "expected no {key:?} in data, got {}",
            show(&self)
        );
        self
    }
}

/// An error text as it is wrapped when it reached the transport as a bare error (plugin-lifecycle §0.3).
pub fn wrapped(text: &str) -> String {
    format!("1 error occurred:\n\t* {text}\n\n")
}

fn show(reply: &Reply) -> String {
    format!(
        "{} {}",
        reply.status(),
        String::from_utf8_lossy(reply.body())
    )
}
