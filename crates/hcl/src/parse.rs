//! The grammar of HCL 1 over the scanner's tokens. One token of look-ahead is enough.

use std::collections::HashMap;

use crate::scan::{Scanner, Token};
use crate::{Body, Error, Item, Key, MAX_DEPTH, Position, Value, ValueKind};

pub(crate) fn parse(source: &str) -> Result<Body, Error> {
    let mut scanner = Scanner::new(source);
    let (token, at) = scanner.next()?;
    Parser { scanner, token, at }.body(0, &Token::End)
}

struct Parser<'s> {
    scanner: Scanner<'s>,
    /// The token that is looked at, and where it begins.
    token: Token,
    at: Position,
}

impl Parser<'_> {
    fn advance(&mut self) -> Result<Token, Error> {
        let (token, at) = self.scanner.next()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn expected<T>(&self, wanted: &'static str) -> Result<T, Error> {
        Err(Error::Expected {
            at: self.at,
            wanted,
            found: self.token.describe(),
        })
    }

    /// Items up to `close`, which is consumed.
    fn body(&mut self, depth: usize, close: &Token) -> Result<Body, Error> {
        let mut items = Vec::new();
        let mut assigned = HashMap::new();
        while self.token != *close {
            let (item, is_assignment) = self.item(depth)?;
            if is_assignment
                && let Some(first) = assigned.insert(item.key.text.clone(), item.key.at)
            {
                return Err(Error::DuplicateKey {
                    at: item.key.at,
                    key: item.key.text,
                    first,
                });
            }
            items.push(item);
            // Items of one body may be separated by commas; Vault's parser takes one after each.
            if self.token == Token::Comma {
                self.advance()?;
            }
        }
        if *close != Token::End {
            self.advance()?;
        }
        Ok(Body { items })
    }

    /// One item, and whether it was written with `=`.
    fn item(&mut self, depth: usize) -> Result<(Item, bool), Error> {
        let Some(key) = self.key()? else {
            return self.expected("a key or `}`");
        };
        let mut labels = Vec::new();
        while let Some(label) = self.key()? {
            labels.push(label);
        }
        match self.token {
            Token::Assign if labels.is_empty() => {
                self.advance()?;
                Ok((
                    Item {
                        key,
                        labels,
                        value: self.value(depth)?,
                    },
                    true,
                ))
            }
            Token::OpenBrace => Ok((
                Item {
                    key,
                    labels,
                    value: self.value(depth)?,
                },
                false,
            )),
            _ if labels.is_empty() => self.expected("`=`, `{` or a label"),
            _ => self.expected("`{`"),
        }
    }

    fn key(&mut self) -> Result<Option<Key>, Error> {
        if !matches!(
            self.token,
            Token::Ident(_) | Token::String { heredoc: false, .. }
        ) {
            return Ok(None);
        }
        let at = self.at;
        match self.advance()? {
            Token::Ident(text) | Token::String { text, .. } => Ok(Some(Key { text, at })),
            _ => Ok(None),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let at = self.at;
        let kind = match &self.token {
            Token::OpenBrace | Token::OpenBracket if depth >= MAX_DEPTH => {
                return Err(Error::TooDeep {
                    at,
                    limit: MAX_DEPTH,
                });
            }
            Token::OpenBrace => {
                self.advance()?;
                ValueKind::Object(self.body(depth + 1, &Token::CloseBrace)?)
            }
            Token::OpenBracket => {
                self.advance()?;
                ValueKind::List(self.list(depth + 1)?)
            }
            Token::Ident(word) if word == "true" || word == "false" => {
                let value = word == "true";
                self.advance()?;
                ValueKind::Bool(value)
            }
            Token::String { .. } | Token::Number(_) => match self.advance()? {
                Token::String { text, .. } => ValueKind::String(text),
                Token::Number(number) => ValueKind::Number(number),
                _ => return self.expected("a value"),
            },
            _ => return self.expected("a value"),
        };
        Ok(Value { kind, at })
    }

    /// Elements up to `]`, which is consumed. A comma may follow the last one.
    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let mut values = Vec::new();
        loop {
            if self.token == Token::CloseBracket {
                self.advance()?;
                return Ok(values);
            }
            values.push(self.value(depth)?);
            match self.token {
                Token::Comma => {
                    self.advance()?;
                }
                Token::CloseBracket => {}
                _ => return self.expected("`,` or `]`"),
            }
        }
    }
}
