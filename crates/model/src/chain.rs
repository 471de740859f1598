//! An error as one line of text, with everything that is below it. `Display` never repeats its source, so whoever logs an error
//! or shows it to a person prints the chain.

use std::error::Error;
use std::fmt::Write as _;

/// `error` and its causes, outermost first: `connect to 127.0.0.1:8200: connection refused`.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            let below = self.1.as_deref()?;
            Some(below)
        }
    }

    #[test]
    fn every_cause_is_named_once_from_the_outside_in() {
        let inner = Layer("inner", None);
        assert_eq!(chain(&inner), "inner");
        let middle = Layer("middle", Some(Box::new(inner)));
        let outer = Layer("outer", Some(Box::new(middle)));
        assert_eq!(chain(&outer), "outer: middle: inner");
    }
}
