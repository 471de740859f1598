//! Tables as Vault's command line prints them: columns four spaces apart, a line of dashes under each heading, `n/a` where
//! there is nothing. Scripts read these columns, so the layout is Vault's to the space.

/// What stands between two columns.
const GAP: &str = "    ";

/// Rows under headings. Every row has as many cells as there are headings.
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self {
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// One of names and values.
    pub(crate) fn of_values() -> Self {
        Self::new(["Key", "Value"])
    }

    /// Adds a row.
    pub(crate) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, with an end of line.
    pub(crate) fn print(&self) -> String {
        let dashes = self
            .headings
            .iter()
            .map(|heading| "-".repeat(heading.len()))
            .collect();
        let lines: Vec<Vec<&str>> = [&self.headings, &dashes]
            .into_iter()
            .chain(&self.rows)
            .map(|cells| cells.iter().map(|cell| shown(cell)).collect())
            .collect();
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = lines.iter().filter_map(|cells| cells.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for cells in lines {
            for (i, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                out.push_str(cell);
                if i + 1 < cells.len() {
                    out.extend(std::iter::repeat_n(' ', width - cell.chars().count()));
                    out.push_str(GAP);
                }
            }
            out.push('\n');
        }
        out
    }
}

fn shown(cell: &str) -> &str {
    match cell.trim() {
        "" => "n/a",
        cell => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from OpenBao's command line.
    #[test]
    fn columns_are_as_recorded() {
        let mut table = Table::new(["Name", "Type", "Version", "Deprecation Status"]);
        table.row(["kubernetes", "secret", "v2.7.2+builtin.bao", "supported"]);
        table.row(["tp", "secret", "v1.0.0", ""]);
        let expected = "\
Name          Type      Version               Deprecation Status
----          ----      -------               ------------------
kubernetes    secret    v2.7.2+builtin.bao    supported
tp            secret    v1.0.0                n/a
";
        assert_eq!(table.print(), expected);
    }

    #[test]
    fn cells_are_trimmed_and_measured_in_characters() {
        let mut table = Table::of_values();
        table.row(["é", " lead"]);
        assert_eq!(table.print(), "Key    Value\n---    -----\né      lead\n");
        assert_eq!(Table::new(["Keys"]).print(), "Keys\n----\n");
    }
}
