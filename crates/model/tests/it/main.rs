//! What is kept of fuzzing, played again.

#[cfg(test)]
mod corpus;
