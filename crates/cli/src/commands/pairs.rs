//! `key=value` arguments: values as typed, from a file (`key=@file`), from standard input (`key=-`); whole objects from a file
//! (`@file`) or standard input (`-`).

use crate::call::Call;
use crate::failure::Failure;
use crate::tree::Tree;

/// Reads the arguments from `first` on into one object, in the order of their names. A key that is given twice has both
/// values, as a list.
pub(crate) fn pairs(call: &mut Call<'_, '_>, first: usize) -> Result<Tree, Failure> {
    let words: Vec<String> = call.typed.arguments().iter().skip(first).cloned().collect();
    let mut members = Vec::new();
    for word in &words {
        let wrong = |why: String| {
            Failure::usage(format!(
                "Failed to parse K=V data: invalid key/value pair {word:?}: {why}"
            ))
        };
        if word == "-" {
            let text = call.read_input().map_err(|e| wrong(e.to_string()))?;
            merge(&mut members, object(&text).map_err(wrong)?);
        } else if let Some(file) = word.strip_prefix('@') {
            let text = read(file).map_err(wrong)?;
            merge(&mut members, object(&text).map_err(wrong)?);
        } else if let Some((key, value)) = word.split_once('=') {
            let value = if value == "-" {
                call.read_input().map_err(|e| wrong(e.to_string()))?
            } else if let Some(file) = value.strip_prefix('@') {
                read(file).map_err(|e| wrong(format!("error reading file: {e}")))?
            } else {
                value
                    .strip_prefix('\\')
                    .filter(|rest| rest.starts_with('@'))
                    .unwrap_or(value)
                    .to_owned()
            };
            add(&mut members, key, Tree::Text(value));
        } else {
            return Err(wrong("format must be key=value".to_owned()));
        }
    }
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Tree::Map(members))
}

fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("open {file}: {error}"))
}

fn object(text: &str) -> Result<Vec<(String, Tree)>, String> {
    match Tree::parse(text.as_bytes()) {
        Ok(Tree::Map(members)) => Ok(members),
        Ok(_) => Err("must be one JSON object".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn merge(members: &mut Vec<(String, Tree)>, more: Vec<(String, Tree)>) {
    for (name, value) in more {
        match members.iter_mut().find(|(found, _)| *found == name) {
            Some((_, old)) => *old = value,
            None => members.push((name, value)),
        }
    }
}

fn add(members: &mut Vec<(String, Tree)>, key: &str, value: Tree) {
    match members.iter_mut().find(|(found, _)| found == key) {
        Some((_, Tree::List(values))) => values.push(value),
        Some((_, old)) => {
            let first = std::mem::replace(old, Tree::Null);
            *old = Tree::List(vec![first, value]);
        }
        None => members.push((key.to_owned(), value)),
    }
}
