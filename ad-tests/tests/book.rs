//! Holds the book to what is true: each row of the table of supported Rust names a test, and each of those tests
//! has a row. The tests are in `supported/`.

// The functions under test are written as users write them.
#[allow(clippy::all, clippy::pedantic)]
mod supported;

use std::collections::BTreeSet;
use std::path::Path;

/// The last column of the rows of all tables whose header ends in `test`.
fn named_tests(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix('|').and_then(|l| l.strip_suffix('|')) else {
            in_table = false;
            continue;
        };
        let last = row.rsplit('|').next().unwrap_or_default().trim();
        if last == "test" {
            in_table = true;
        } else if in_table && !last.starts_with("---") {
            names.push(last.trim_matches('`').to_owned());
        }
    }
    names
}

/// `module::function` of the tests in one file.
fn tests_in(module: &str, source: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut lines = source.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let name = match lines.peek() {
            Some(next) if line == "#[test]" => {
                next.strip_prefix("fn ").and_then(|rest| rest.split('(').next())
            }
            // The entries of `functions!` in `methods.rs`.
            _ => line.split_once(": |x, y|").map(|(name, _)| name),
        };
        tests.extend(name.filter(|name| !name.starts_with('$')).map(|name| format!("{module}::{name}")));
    }
    tests
}

#[test]
fn every_row_of_the_table_names_a_test_and_every_test_has_a_row() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(folder.join("../docs/src/supported-rust.md")).expect("the page");
    let rows = named_tests(&page);
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(folder.join("tests/supported")).expect("the tests") {
        let path = entry.expect("an entry").path();
        let module = path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
        tests.extend(tests_in(&module, &std::fs::read_to_string(&path).expect("a test file")));
    }
    assert!(rows.len() > 40 && tests.len() > 40, "{} rows, {} tests", rows.len(), tests.len());
    let named: BTreeSet<String> = rows.into_iter().collect();
    let missing: Vec<_> = named.difference(&tests).collect();
    let untold: Vec<_> = tests.difference(&named).collect();
    assert!(missing.is_empty(), "rows that name no test: {missing:?}");
    assert!(untold.is_empty(), "tests without a row: {untold:?}");
}
