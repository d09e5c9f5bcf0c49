//! Charts as SVG, drawn here: the page needs no script.

use std::fmt::Write;

use super::html::Escaped;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;

/// A line of a chart: the class that colours it, and its values; there is a gap where one
/// is missing.
pub(super) struct Line<'a> {
    pub(super) class: &'a str,
    pub(super) values: Vec<Option<f64>>,
}

/// Lines over time, from zero to `top`. `name` says what they show to who cannot see them.
pub(super) fn lines(name: &str, lines: &[Line<'_>], top: f64) -> String {
    let mut svg = begin(name);
    let top = if top > 0.0 { top } else { 1.0 };
    for part in 1..4 {
        let y = HEIGHT * f64::from(part) / 4.0;
        let _ = write!(svg, "<path class=\"grid\" d=\"M0 {y:.1}H{WIDTH}\"/>");
    }
    for Line { class, values } in lines {
        let step = WIDTH / values.len().saturating_sub(1).max(1) as f64;
        let (mut path, mut drawing) = (String::new(), false);
        for (at, value) in values.iter().enumerate() {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let (x, y) = (step * at as f64, HEIGHT * (1.0 - (value / top).clamp(0.0, 1.0)));
            let letter = if drawing { 'L' } else { 'M' };
            let _ = write!(path, "{letter}{x:.1} {y:.1}");
            if !drawing && values.get(at + 1).is_none_or(Option::is_none) {
                // A point by itself: round ends show it.
                path.push_str("h0.1");
            }
            drawing = true;
        }
        let _ = write!(svg, "<path class=\"line {class}\" d=\"{path}\"/>");
    }
    svg.push_str("</svg>");
    svg
}

/// Bars side by side.
pub(super) fn bars(name: &str, values: &[i64]) -> String {
    let mut svg = begin(name);
    let top = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let width = WIDTH / values.len().max(1) as f64;
    for (at, value) in values.iter().enumerate() {
        let height = HEIGHT * (*value).max(0) as f64 / top;
        let (x, y) = (width * at as f64 + width * 0.1, HEIGHT - height);
        let _ = write!(
            svg,
            "<rect class=\"bar-fill\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            width * 0.8
        );
    }
    svg.push_str("</svg>");
    svg
}

/// A share of 100, beside the number that says it.
pub(super) fn bar(share: f64) -> String {
    let width = (share * 100.0).clamp(0.0, 100.0);
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\" \
         focusable=\"false\"><rect class=\"bar-fill\" width=\"{width:.1}\" height=\"6\"/></svg>"
    )
}

fn begin(name: &str) -> String {
    format!(
        "<svg class=\"chart\" viewBox=\"-3 -3 {} {}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\"><path class=\"axis\" d=\"M0 0V{HEIGHT}H{WIDTH}\"/>",
        WIDTH + 6.0,
        HEIGHT + 6.0,
        Escaped(name)
    )
}
