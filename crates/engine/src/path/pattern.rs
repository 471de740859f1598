//! Patterns of paths and how they match.
//!
//! `config`, `keys/{name}`, `catalog/{type:auth|secret}/{name:rest}`, `mounts/{path:rest}/tune`,
//! and a final `/?` for an optional slash (a list request's path ends with `/`). A parameter is a
//! `word` by default: word characters, dots and dashes inside, first and last a word character
//! (plugin-lifecycle §0.5). `segment` is anything without `/`, `rest` anything at all; neither is
//! empty.

use std::collections::BTreeMap;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone)]
enum Token {
    Literal(String),
    OptionalSlash,
    Parameter { name: String, class: Class },
}

#[derive(Debug, Clone)]
enum Class {
    Word,
    Segment,
    Rest,
    Choice(Vec<String>),
}

/// Why a pattern is malformed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path pattern {0:?}: {1}")]
pub struct PatternError(String, &'static str);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for an unclosed or nameless parameter.
    pub fn parse(source: &str) -> Result<Self, PatternError> {
        let mut tokens = Vec::new();
        let (body, slash) = match source.strip_suffix("/?") {
            Some(body) => (body, true),
            None => (source, false),
        };
        let mut rest = body;
        while !rest.is_empty() {
            let Some((literal, after)) = rest.split_once('{') else {
                tokens.push(Token::Literal(rest.to_owned()));
                break;
            };
            if !literal.is_empty() {
                tokens.push(Token::Literal(literal.to_owned()));
            }
            let Some((parameter, tail)) = after.split_once('}') else {
                return Err(PatternError(source.to_owned(), "a parameter is not closed"));
            };
            let (name, class) = parameter.split_once(':').unwrap_or((parameter, "word"));
            if name.is_empty() {
                return Err(PatternError(source.to_owned(), "a parameter has no name"));
            }
            let class = match class {
                "word" => Class::Word,
                "segment" => Class::Segment,
                "rest" => Class::Rest,
                choice => Class::Choice(choice.split('|').map(str::to_owned).collect()),
            };
            tokens.push(Token::Parameter {
                name: name.to_owned(),
                class,
            });
            rest = tail;
        }
        if slash {
            tokens.push(Token::OptionalSlash);
        }
        Ok(Self {
            source: source.to_owned(),
            tokens,
        })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The parameters, in order, each with its choices (empty = free).
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Parameter {
                name,
                class: Class::Choice(choices),
            } => Some((name.as_str(), choices.as_slice())),
            Token::Parameter { name, .. } => Some((name.as_str(), [].as_slice())),
            _ => None,
        })
    }

    /// The path as OpenAPI writes it: `keys/{name}`.
    #[must_use]
    pub fn template(&self) -> String {
        self.tokens
            .iter()
            .fold(String::new(), |out, token| match token {
                Token::Literal(text) => out + text,
                Token::Parameter { name, .. } => out + "{" + name + "}",
                Token::OptionalSlash => out,
            })
    }

    /// What the parameters capture from `path`, or `None` when it does not match.
    #[must_use]
    pub fn captures(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut found = Vec::new();
        match_tokens(&self.tokens, path, &mut found).then(|| {
            found
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect()
        })
    }
}

/// Longest first, as a greedy regular expression would; a pattern has few parameters, and each
/// tries at most every border of what it may be, at a cost that does not grow with its length: a
/// path may have 20,000 characters.
fn match_tokens<'t, 'p>(
    tokens: &'t [Token],
    path: &'p str,
    found: &mut Vec<(&'t str, &'p str)>,
) -> bool {
    let Some((first, tokens)) = tokens.split_first() else {
        return path.is_empty();
    };
    match first {
        Token::Literal(text) => path
            .strip_prefix(text.as_str())
            .is_some_and(|rest| match_tokens(tokens, rest, found)),
        Token::OptionalSlash => {
            path.strip_prefix('/')
                .is_some_and(|rest| match_tokens(tokens, rest, found))
                || match_tokens(tokens, path, found)
        }
        Token::Parameter { name, class } => {
            let longest = match class {
                Class::Rest => path.len(),
                Class::Word => path.find(|c| !is_inside_word(c)).unwrap_or(path.len()),
                Class::Segment | Class::Choice(_) => path.find('/').unwrap_or(path.len()),
            };
            let depth = found.len();
            for end in (1..=longest).rev() {
                let Some((value, rest)) = path.split_at_checked(end) else {
                    continue;
                };
                if !fits(class, value) {
                    continue;
                }
                found.push((name, value));
                if match_tokens(tokens, rest, found) {
                    return true;
                }
                found.truncate(depth);
            }
            false
        }
    }
}

/// Whether a value fits, all of whose characters may be in one of its class.
fn fits(class: &Class, value: &str) -> bool {
    match class {
        Class::Rest | Class::Segment => true,
        Class::Choice(choices) => choices.iter().any(|c| c == value),
        Class::Word => value.starts_with(is_word) && value.ends_with(is_word),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_inside_word(c: char) -> bool {
    is_word(c) || c == '.' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(pattern: &str, path: &str, expected: Option<&[(&str, &str)]>) {
        let found = Pattern::parse(pattern).unwrap().captures(path);
        let expected = expected.map(|list| {
            list.iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<BTreeMap<_, _>>()
        });
        assert_eq!(found, expected, "{pattern} {path}");
    }

    #[test]
    fn patterns_capture_what_the_spec_says() {
        check("config", "config", Some(&[]));
        check("config", "config/", None);
        check("keys/?", "keys/", Some(&[]));
        check("keys/{name}", "keys/a.b-c", Some(&[("name", "a.b-c")]));
        check("keys/{name}", "keys/-a", None);
        check("keys/{name}", "keys/a/b", None);
        check(
            "c/{type:auth|secret}/{name:rest}",
            "c/secret/team/kv",
            Some(&[("type", "secret"), ("name", "team/kv")]),
        );
        check("c/{type:auth|secret}/{name:rest}", "c/secrets/x", None);
        check(
            "mounts/{path:rest}/tune",
            "mounts/a/b/tune",
            Some(&[("path", "a/b")]),
        );
        check(
            "mounts/{path:rest}/?",
            "mounts/a/b/",
            Some(&[("path", "a/b/")]),
        );
        check("{path:rest}", "", None);
        check("k/{name:segment}", "k/é x", Some(&[("name", "é x")]));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        assert!(Pattern::parse("a/{b").is_err());
        assert!(Pattern::parse("a/{}").is_err());
    }

    #[test]
    fn a_long_word_is_looked_at_once() {
        let word = "a".repeat(19_000);
        check("keys/{name}/rotate", &format!("keys/{word}"), None);
        check(
            "keys/{name}.{format}",
            &format!("keys/{word}.json"),
            Some(&[("name", word.as_str()), ("format", "json")]),
        );
    }

    proptest! {
        #[test]
        fn matching_never_panics(path in "\\PC{0,60}") {
            for pattern in ["{a:rest}/x/{b:rest}", "{a}/{b:segment}/?", "x/{p:rest}/tune"] {
                let _ = Pattern::parse(pattern).unwrap().captures(&path);
            }
        }
    }
}
