//! The nearest right word for a wrong one: of a flag, a command, a setting of the configuration file.

/// The known word that differs least, if it differs little: by a third of its length, at least by two.
pub fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let close = known.iter().map(|right| (distance(word, right), *right));
    let (by, right) = close.min()?;
    (by <= (right.len() / 3).max(2)).then_some(right)
}

/// How many characters must be inserted, removed or replaced (one row of the usual table at a time).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(x != *y);
            left = replaced.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["dev-root-token-id", "config", "dev"];
        for (word, expected) in [
            ("dev-root-token", Some("dev-root-token-id")),
            ("confg", Some("config")),
            ("deb", Some("dev")),
            ("storage-driver", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
        assert_eq!(nearest("dev", &[]), None);
    }
}
