//! A number as it was written. Its reader decides what it is: `0755` is 493 as an integer, and permissions as text.

/// A numeric literal that is known to be well formed: decimal, octal (`0755`), hexadecimal (`0x1f`) or floating point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    literal: String,
}

impl Number {
    /// `None` when the text is no number.
    pub(crate) fn new(literal: &str) -> Option<Number> {
        let number = Number {
            literal: literal.to_owned(),
        };
        (number.to_i64().is_some() || number.to_f64().is_some()).then_some(number)
    }

    /// The text as written.
    pub fn literal(&self) -> &str {
        &self.literal
    }

    /// The value if it is an integer that fits; `1e3` and `2.0` are integers too.
    pub fn to_i64(&self) -> Option<i64> {
        let (negative, digits) = match self.literal.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, self.literal.as_str()),
        };
        if let Some(hex) = digits
            .strip_prefix("0x")
            .or_else(|| digits.strip_prefix("0X"))
        {
            return signed(negative, hex, 16);
        }
        if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
        {
            return signed(negative, digits, 8);
        }
        signed(negative, digits, 10).or_else(|| {
            let value = self.to_f64()?;
            // The bounds are the integers that a double holds exactly; beyond them the cast would invent digits.
            (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
        })
    }

    /// The value as a floating-point number; `None` for octal and hexadecimal ones and where it is not finite.
    pub fn to_f64(&self) -> Option<f64> {
        let body = self.literal.strip_prefix('-').unwrap_or(&self.literal);
        if !body.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        // `0755` and `089` are octal or nothing; `0` and `0.5` are fine.
        if body.len() > 1 && body.starts_with('0') && body.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if !body
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        {
            return None;
        }
        self.literal.parse::<f64>().ok().filter(|v| v.is_finite())
    }
}

fn signed(negative: bool, digits: &str, radix: u32) -> Option<i64> {
    // `from_str_radix` takes a sign of its own, which here would be a second one.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let text = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    i64::from_str_radix(&text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn literals_have_these_values() {
        let cases: [(&str, Option<i64>, Option<f64>); 14] = [
            ("0", Some(0), Some(0.0)),
            ("42", Some(42), Some(42.0)),
            ("-7", Some(-7), Some(-7.0)),
            ("0755", Some(493), None),
            ("0x1F", Some(31), None),
            ("-0x1f", Some(-31), None),
            ("1e3", Some(1000), Some(1000.0)),
            ("1.5", None, Some(1.5)),
            ("-1.5e-2", None, Some(-0.015)),
            (
                "9223372036854775807",
                Some(i64::MAX),
                Some(9_223_372_036_854_775_807.0),
            ),
            (
                "-9223372036854775808",
                Some(i64::MIN),
                Some(-9_223_372_036_854_775_808.0),
            ),
            ("1e300", None, Some(1e300)),
            ("2.0", Some(2), Some(2.0)),
            ("0.5", None, Some(0.5)),
        ];
        for (literal, integer, float) in cases {
            let number = Number::new(literal).unwrap_or_else(|| panic!("{literal} is a number"));
            assert_eq!(
                (number.to_i64(), number.to_f64()),
                (integer, float),
                "{literal}"
            );
        }
        for literal in [
            "", "-", "089", "0x", "--1", "1.2.3", "1e", "inf", "NaN", "1e999", "0x-1", "+1",
        ] {
            assert_eq!(Number::new(literal), None, "{literal}");
        }
    }
}
