//! The guide's page on security names tests: they are there, and they are tests.

use std::{fs, path::Path};

const PAGE: &str = include_str!("../../src/guide/security.md");

/// The texts of a line that stand in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_test(file: &str, name: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let of_it = |line: &&str| line.contains(&format!("fn {name}("));
    let Some(at) = lines.iter().position(of_it) else { return false };
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.clone().any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"))
}

#[test]
fn every_threat_names_tests_that_exist() {
    let (_, threats) = PAGE.split_once("\n# Threats\n").expect("threats");
    let rows = threats.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let (mut tests, mut without) = (0, 0);
    for row in rows.filter(|row| !row.starts_with("threat |")) {
        let [threat, answer, shown] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not three columns: {row}");
        };
        assert!(!threat.is_empty() && answer.len() > 10, "{row}");
        if shown.starts_with("**none**") {
            without += 1;
            continue;
        }
        let mut file = None;
        for name in quoted(shown) {
            if name.ends_with(".rs") {
                file = Some(name);
                continue;
            }
            let file = file.unwrap_or_else(|| panic!("{name} of which file?"));
            assert!(is_test(file, name), "there is no test {name} in {file}");
            tests += 1;
        }
        assert!(file.is_some(), "no test: {threat}");
    }
    assert!(tests > 40, "{tests}");
    assert!(without < 4, "{without} threats have no test");
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    assert!(is_test("tests/privacy/threats.rs", "a_test_that_is_not_there_is_noticed"));
    assert!(!is_test("tests/privacy/threats.rs", "is_test"));
    assert!(!is_test("tests/privacy/threats.rs", "another"));
}
