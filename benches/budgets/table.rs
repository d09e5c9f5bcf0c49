//! The figures beside their budgets, as a table and as JSON.

use serde::Serialize;

/// A quarter of the turns stayed below the first, half below the second.
pub(crate) type Spread = [f64; 3];

pub(crate) fn spread(mut figures: Vec<f64>) -> Spread {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[(figures.len() - 1) * quarter / 4])
}

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Budget {
    AtMost(f64),
    AtLeast(f64),
    /// It stands beside the others.
    None,
}

use Budget::{AtLeast, AtMost};

#[derive(Debug, Serialize)]
struct Row {
    what: String,
    unit: &'static str,
    median: f64,
    /// Of the turns, if it varies.
    quartiles: Option<Spread>,
    budget: Option<String>,
    met: Option<bool>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn head() {
        println!("{:<66} {:>11} {:>19} {:>11}", "", "median", "quartiles", "budget");
    }

    /// A figure that is the same in each turn.
    pub(crate) fn exact(&mut self, what: &str, unit: &'static str, figure: f64, budget: Budget) {
        self.push(what, unit, figure, None, budget);
    }

    pub(crate) fn varying(&mut self, what: &str, unit: &'static str, of: Spread, budget: Budget) {
        self.push(what, unit, of[1], Some(of), budget);
    }

    fn push(
        &mut self,
        what: &str,
        unit: &'static str,
        median: f64,
        quartiles: Option<Spread>,
        budget: Budget,
    ) {
        let (budget, met) = match budget {
            AtMost(most) => (Some(format!("<= {most}")), Some(median <= most)),
            AtLeast(least) => (Some(format!(">= {least}")), Some(median >= least)),
            Budget::None => (None, None),
        };
        let of = quartiles
            .map_or_else(String::new, |[low, _, high]| format!("{}..{}", short(low), short(high)));
        let said = match met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "",
        };
        let figure = format!("{} {unit}", short(median));
        let asked = budget.as_deref().unwrap_or_default();
        println!("{what:<66} {figure:>11} {of:>19} {asked:>11} {said}");
        self.rows.push(Row { what: what.to_owned(), unit, median, quartiles, budget, met });
    }

    pub(crate) fn write(&self) {
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("budgets.json");
        let json = serde_json::to_vec_pretty(self).expect("JSON");
        std::fs::write(&path, json).expect("a file in the target directory");
        println!("written to {}", path.display());
    }
}

fn short(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        small if small < 10.0 => format!("{figure:.2}"),
        middle if middle < 1_000.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}
