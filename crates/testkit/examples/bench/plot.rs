//! The plot: a pair of bars for each load and number of connections, each as long as its share of the longer one.

use std::fmt::Write as _;

use crate::report::Row;

const LEFT: f64 = 330.0;
const WIDTH: f64 = 420.0;
const BAR: f64 = 11.0;
const PAIR: f64 = 34.0;
const TOP: f64 = 34.0;

/// The picture as SVG, in colours that can be read on white and on black.
pub(crate) fn bars(rows: &[Row]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let height = TOP + PAIR * rows.len() as f64 + 10.0;
    let total = LEFT + WIDTH + 90.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{height}\" viewBox=\"0 0 {total} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" fill=\"#222222\">Requests per second: Linchpin (dark) and OpenBao 2.7.2 (light)</text>\n"
    );
    let mut y = TOP;
    for row in rows {
        let longest = row.ours.per_second.max(row.theirs.per_second);
        let middle = y + BAR + 4.0;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\" fill=\"#222222\">{}, {} conn.</text>",
            LEFT - 8.0,
            row.load,
            row.connections
        );
        for (at, turn, colour) in [
            (y, row.ours, "#1f5fa8"),
            (y + BAR + 1.0, row.theirs, "#c9a24a"),
        ] {
            let long = WIDTH * turn.per_second / longest;
            let _ = writeln!(
                out,
                "<rect x=\"{LEFT}\" y=\"{at}\" width=\"{long:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\
                 <text x=\"{:.1}\" y=\"{}\" font-size=\"10\" fill=\"#222222\">{:.0}</text>",
                LEFT + long + 4.0,
                at + BAR - 2.0,
                turn.per_second
            );
        }
        y += PAIR;
    }
    out.push_str("</svg>\n");
    out
}
