//! The scanner: source text to tokens, each with its position. A line break is white space, as HCL 1 has it.

use crate::{Error, Number, Position};

/// A token of HCL 1. `true` and `false` are identifiers here: they may be keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Ident(String),
    /// A quoted string or a heredoc, decoded. Only a quoted string may be a key.
    String {
        text: String,
        heredoc: bool,
    },
    Number(Number),
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Assign,
    Comma,
    End,
}

impl Token {
    /// What a reader of an error message would call it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Token::Ident(name) => format!("`{}`", clip(name)),
            Token::String { .. } => "a string".to_owned(),
            Token::Number(number) => format!("number {}", clip(number.literal())),
            Token::OpenBrace => "`{`".to_owned(),
            Token::CloseBrace => "`}`".to_owned(),
            Token::OpenBracket => "`[`".to_owned(),
            Token::CloseBracket => "`]`".to_owned(),
            Token::Assign => "`=`".to_owned(),
            Token::Comma => "`,`".to_owned(),
            Token::End => "the end of the text".to_owned(),
        }
    }
}

/// An error message quotes a few words of the source, never a megabyte.
fn clip(text: &str) -> String {
    match text.char_indices().nth(64) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

pub(crate) struct Scanner<'s> {
    source: &'s str,
    offset: usize,
    at: Position,
}

impl<'s> Scanner<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Scanner {
            source,
            offset: 0,
            at: Position { line: 1, column: 1 },
        }
    }

    /// The next token and where it begins. After the last one: [`Token::End`], again and again.
    pub(crate) fn next(&mut self) -> Result<(Token, Position), Error> {
        self.skip_blanks()?;
        let at = self.at;
        let Some(first) = self.peek() else {
            return Ok((Token::End, at));
        };
        let token = match first {
            '{' => self.single(Token::OpenBrace),
            '}' => self.single(Token::CloseBrace),
            '[' => self.single(Token::OpenBracket),
            ']' => self.single(Token::CloseBracket),
            '=' => self.single(Token::Assign),
            ',' => self.single(Token::Comma),
            '"' => self.string(at)?,
            '<' => self.heredoc(at)?,
            c if c.is_ascii_digit() || c == '-' => self.number(at)?,
            c if starts_ident(c) => Token::Ident(self.take_while(continues_ident).to_owned()),
            found => return Err(Error::UnexpectedCharacter { at, found }),
        };
        Ok((token, at))
    }

    fn rest(&self) -> &'s str {
        self.source.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        if c == '\n' {
            self.at = Position {
                line: self.at.line.saturating_add(1),
                column: 1,
            };
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        Some(c)
    }

    fn single(&mut self, token: Token) -> Token {
        self.bump();
        token
    }

    fn take_while(&mut self, accept: fn(char) -> bool) -> &'s str {
        let start = self.offset;
        while self.peek().is_some_and(accept) {
            self.bump();
        }
        self.source.get(start..self.offset).unwrap_or_default()
    }

    fn skip_blanks(&mut self) -> Result<(), Error> {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
            let at = self.at;
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                let end = rest
                    .get(2..)
                    .and_then(|r| r.find("*/"))
                    .ok_or(Error::UnterminatedComment { at })?;
                let stop = self.offset + 2 + end + 2;
                while self.offset < stop {
                    self.bump();
                }
            } else {
                return Ok(());
            }
        }
    }

    fn number(&mut self, at: Position) -> Result<Token, Error> {
        let literal =
            self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        let number = Number::new(literal).ok_or_else(|| Error::BadNumber {
            at,
            literal: clip(literal),
        })?;
        Ok(Token::Number(number))
    }

    /// A quoted string. Inside `${ … }` everything is copied as written, quotes and line breaks too, up to the brace
    /// that closes it; outside, a line break ends the string too early.
    fn string(&mut self, at: Position) -> Result<Token, Error> {
        self.bump();
        let mut text = String::new();
        let mut braces = 0_u32;
        loop {
            let here = self.at;
            let c = self.bump().ok_or(Error::UnterminatedString { at })?;
            if braces > 0 {
                text.push(c);
                match c {
                    '{' => braces = braces.saturating_add(1),
                    '}' => braces -= 1,
                    '\\' => text.push(self.bump().ok_or(Error::UnterminatedString { at })?),
                    _ => {}
                }
                continue;
            }
            match c {
                '"' => {
                    return Ok(Token::String {
                        text,
                        heredoc: false,
                    });
                }
                '\n' => return Err(Error::UnterminatedString { at }),
                '\\' => text.push(self.escape(here)?),
                '$' if self.peek() == Some('{') => {
                    self.bump();
                    braces = 1;
                    text.push_str("${");
                }
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char, Error> {
        let bad = Error::BadEscape { at };
        let Some(c) = self.peek() else {
            return Err(bad);
        };
        let (radix, digits) = match c {
            'x' => (16, 2),
            'u' => (16, 4),
            'U' => (16, 8),
            '0'..='7' => (8, 3),
            _ => {
                self.bump();
                return match c {
                    'a' => Ok('\u{07}'),
                    'b' => Ok('\u{08}'),
                    'f' => Ok('\u{0c}'),
                    'n' => Ok('\n'),
                    'r' => Ok('\r'),
                    't' => Ok('\t'),
                    'v' => Ok('\u{0b}'),
                    '\\' | '"' | '\'' => Ok(c),
                    _ => Err(bad),
                };
            }
        };
        if radix == 16 {
            self.bump();
        }
        let mut value = 0_u32;
        for _ in 0..digits {
            let digit = self
                .peek()
                .and_then(|c| c.to_digit(radix))
                .ok_or(Error::BadEscape { at })?;
            self.bump();
            value = value
                .checked_mul(radix)
                .and_then(|v| v.checked_add(digit))
                .ok_or(Error::BadEscape { at })?;
        }
        // `\x` and octal name single bytes, and only the ASCII ones are characters in UTF-8.
        match c {
            'u' | 'U' => char::from_u32(value).ok_or(bad),
            _ if value < 0x80 => char::from_u32(value).ok_or(bad),
            _ => Err(bad),
        }
    }

    /// `<<MARKER` up to a line that holds only the marker. With `<<-` the closing line may be indented, and that
    /// indentation is taken off every line, if every line that is not empty has it.
    fn heredoc(&mut self, at: Position) -> Result<Token, Error> {
        if !self.rest().starts_with("<<") {
            return Err(Error::UnexpectedCharacter { at, found: '<' });
        }
        self.bump();
        self.bump();
        let indented = self.peek() == Some('-');
        if indented {
            self.bump();
        }
        let marker = self.take_while(|c| c.is_alphanumeric() || c == '_');
        let blank = self.take_while(|c| c == '\r');
        if marker.is_empty() || blank.len() > 1 || self.bump() != Some('\n') {
            return Err(Error::BadHeredoc { at });
        }
        let mut lines = Vec::new();
        loop {
            if self.rest().is_empty() {
                return Err(Error::UnterminatedHeredoc {
                    at,
                    marker: clip(marker),
                });
            }
            let line = self.take_while(|c| c != '\n');
            let line = line.strip_suffix('\r').unwrap_or(line);
            let body = line.trim_start_matches([' ', '\t']);
            if body == marker && (indented || body.len() == line.len()) {
                let indent = line.get(..line.len() - body.len()).unwrap_or_default();
                return Ok(Token::String {
                    text: join(&lines, indent),
                    heredoc: true,
                });
            }
            lines.push(line);
            self.bump();
        }
    }
}

fn join(lines: &[&str], indent: &str) -> String {
    let common = lines.iter().all(|l| l.is_empty() || l.starts_with(indent));
    let mut text = String::new();
    for line in lines {
        let line = if common {
            line.strip_prefix(indent).unwrap_or(line)
        } else {
            line
        };
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn starts_ident(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_ident(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}
