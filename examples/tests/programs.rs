//! The example programs, run as a user runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// An example. Cargo has built it beside this test, unless it was asked for tests alone.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    let folder = test.parent().and_then(Path::parent).expect("tests are built in target/<profile>/deps");
    let path = folder.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    if !path.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "examples", "--examples", "--target-dir"]);
        build.arg(folder.parent().expect("the target folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo starts").success(), "{name} cannot be built");
    }
    path
}

fn newton_cg(arguments: &[&str]) -> Output {
    Command::new(program("newton_cg")).args(arguments).output().expect("the program starts")
}

/// What the program writes to stderr where it must fail.
fn complaint_of(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name)).args(arguments).output().expect("the program starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.starts_with(&format!("{name}: ")), "{text}");
    text
}

fn complaint(arguments: &[&str]) -> String {
    complaint_of("newton_cg", arguments)
}

/// A file with this text; `name` is its own for each test.
fn file(name: &str, text: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a file in the target folder");
    path.to_str().expect("a path that is text").to_owned()
}

/// The row of a table that begins with this, and its numbers.
fn row(text: &str, name: &str) -> Vec<f64> {
    let cells = text.lines().find_map(|line| line.strip_prefix(&format!("{name}  ")));
    let cells = cells.unwrap_or_else(|| panic!("no row \"{name}\" in {text}")).split_whitespace();
    cells.map(|cell| cell.parse().unwrap_or_else(|_| panic!("{cell} is not a number"))).collect()
}

const NEWTON_METHODS: [&str; 5] = [
    "Newton-CG, loss_linearize, preconditioned",
    "Newton-CG, loss_linearize",
    "Newton-CG, loss_hessian",
    "Newton-CG, central differences",
    "trust region of basin, loss_hvp",
];

#[test]
fn newton_cg_converges_on_the_committed_data() {
    let (text, picture) = table_and_picture("newton_cg", "newton_cg.svg", &[]);
    assert!(text.contains("569 rows, 30 features"), "{text}");
    // Iterations, gradients, products, time, norm of the gradient, and the loss that hand-written derivatives lead to.
    for method in NEWTON_METHODS.into_iter().chain(["L-BFGS of basin"]) {
        let row = row(&text, method);
        assert!(
            row.len() == 6 && row[4] <= 1e-9 && (row[5] - 0.064_900_849_044).abs() < 2e-12,
            "{method}: {row:?}"
        );
    }
    // What the methods are for: products in place of gradients, fewer of them with a preconditioner.
    let [preconditioned, linearized, lazy, differences, _] = NEWTON_METHODS.map(|method| row(&text, method));
    assert!(preconditioned[2] < linearized[2] && linearized[2] == lazy[2], "{text}");
    assert!(lazy[2] <= 80.0 && lazy[1] <= 15.0 && differences[1] >= 2.0 * differences[2], "{text}");
    assert!(text.contains("held-out rows: 112 of 113 right (99.1 %)"), "{text}");
    // Six lines, and their keys.
    assert_eq!(picture.matches("stroke-width=\"2\"").count(), 12);
}

#[test]
fn newton_cg_reads_another_file() {
    let row_of = |i: u32| format!("{},{},{}\n", u32::from(i % 7 > 2), i % 7, (i * 37) % 11);
    let text: String = "target,size,weight\n".to_owned() + &(0..60).map(row_of).collect::<String>();
    let path = file("other.csv", &text);
    let arguments = ["--l2", "0.01", "--interactions", "--seed", "3", &path];
    let (text, _) = table_and_picture("newton_cg", "newton_cg_other.svg", &arguments);
    assert!(text.contains("60 rows, 2 features") && text.contains("5 weights and a bias"), "{text}");
    assert!(text.contains("held-out rows: 12 of 12 right (100.0 %)"), "{text}");
    assert!(NEWTON_METHODS.iter().all(|method| row(&text, method)[4] <= 1e-9), "{text}");
}

#[test]
fn newton_cg_names_file_line_and_column() {
    let path = file("bad_number.csv", "a,b,label\n1,2,0\n1,x,1\n");
    assert_eq!(
        complaint(&[&path]),
        format!("newton_cg: {path}: line 3, column 2 (\"b\"): \"x\" is not a number\n")
    );
    let path = file("ragged.csv", "a,b,label\n1,2,0\n1,2\n");
    assert!(
        complaint(&[&path]).contains("line 3, column 3 (\"label\"): the line has 2 fields, the header has 3")
    );
    let path = file("empty.csv", "");
    assert!(complaint(&[&path]).contains("the file is empty"));
    assert!(complaint(&["no/such.csv"]).contains("no/such.csv: cannot be read"));
    let path = file("few.csv", "a,label\n1,0\n2,1\n");
    assert!(complaint(&[&path]).contains("2 rows are too few"));
}

#[test]
fn newton_cg_explains_its_command_line() {
    for argument in ["--help", "-h"] {
        let output = newton_cg(&[argument]);
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage: "));
    }
    assert!(complaint(&["--fast"]).starts_with("newton_cg: \"--fast\" is not expected"));
    assert!(complaint(&["--l2"]).contains("--l2"));
    for value in ["0", "-1", "nan", "inf"] {
        assert!(complaint(&["--l2", value]).contains("--l2 needs a positive number"));
    }
    for arguments in [["--l2", "x"], ["--seed", "1.5"]] {
        assert!(complaint(&arguments).contains("--help says what can be asked for"));
    }
    assert!(complaint(&["a.csv", "b.csv"]).contains("\"b.csv\" is not expected"));
}

/// Runs a program that must succeed in silence; gives its table and its picture. `name` is the picture's own.
fn table_and_picture(program_name: &str, name: &str, arguments: &[&str]) -> (String, String) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(program(program_name)).args(arguments).arg("--svg").arg(&path).output();
    let output = output.expect("the program starts");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let picture = std::fs::read_to_string(&path).expect("the picture");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
    (String::from_utf8(output.stdout).expect("text"), picture)
}

/// The number after the last occurrence of `label`.
fn number_after(text: &str, label: &str) -> f64 {
    let rest = text.rsplit_once(label).unwrap_or_else(|| panic!("no \"{label}\" in {text}")).1.trim_start();
    let end = rest.find(|c: char| !"+-.e0123456789".contains(c)).unwrap_or(rest.len());
    rest[..end].parse().unwrap_or_else(|_| panic!("no number after \"{label}\" in {text}"))
}

#[test]
fn influence_predicts_what_leaving_rows_out_does() {
    let (text, picture) =
        table_and_picture("influence", "influence.svg", &["--questions", "2", "--rows", "5"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("training row")).count(), 10, "{text}");
    assert_eq!(picture.matches("<circle").count(), 10);
    assert!(number_after(&text, "all 10 changes: correlation") > 0.99, "{text}");
    // Where the regularisation is strong, a row moves the optimum little, and first order is nearly exact.
    let arguments = ["--l2", "10", "--questions", "2", "--rows", "5"];
    let (text, _) = table_and_picture("influence", "influence_strong.svg", &arguments);
    assert!(number_after(&text, "all 10 changes: correlation") > 0.998, "{text}");
    assert!((number_after(&text, "predicted over actual") - 1.0).abs() < 0.02, "{text}");
}

#[test]
fn influence_explains_what_is_wrong() {
    let complaint = |arguments: &[&str]| complaint_of("influence", arguments);
    assert_eq!(complaint(&["--l2", "-1"]), "influence: --l2 needs a positive number, and -1 is none\n");
    assert!(complaint(&["--rows", "0"]).contains("--help"));
    assert!(complaint(&["--fast"]).starts_with("influence: \"--fast\" is not expected"));
    assert!(complaint(&["a.csv", "b.csv"]).contains("\"b.csv\" is not expected"));
    assert!(complaint(&["no/such.csv"]).contains("no/such.csv: cannot be read"));
    assert!(complaint(&["--svg", "no/such/folder/x.svg"]).contains("no/such/folder/x.svg: "));
}

#[test]
fn curvature_finds_the_eigenvalues_of_the_dense_hessian() {
    let (text, picture) = table_and_picture("curvature", "curvature.svg", &["--steps", "10"]);
    let row = |name: &str| -> Vec<f64> {
        let cells = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        cells.split_whitespace().filter_map(|cell| cell.parse().ok()).collect()
    };
    // Found by NumPy's `eigvalsh` of the Hessian by central differences of a gradient written by hand, at the start and
    // after ten steps.
    for (name, expected) in [
        ("loss", [2.31074, 0.59575]),
        ("eigenvalue  1", [2.68481, 1.82688]),
        ("eigenvalue  2", [2.52417, 1.61019]),
        ("eigenvalue 10", [0.45125, 0.42545]),
        ("eigenvalue 11", [0.42916, 0.38422]),
        ("least, about", [-0.70247, -0.13118]),
    ] {
        let found = row(name);
        let is_close = found.len() == 2 && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 3e-5);
        assert!(is_close, "{name}: {found:?}, expected {expected:?}");
    }
    // Each trace with its standard error.
    let [first, first_error, last, last_error] = row("trace, about")[..] else { panic!("{text}") };
    assert!((first - 13.683).abs() < 3.0 * first_error && (last - 17.374).abs() < 3.0 * last_error, "{text}");
    assert_eq!(picture.matches("<polygon").count(), 2);
}

#[test]
fn curvature_explains_what_is_wrong() {
    let complaint = |arguments: &[&str]| complaint_of("curvature", arguments);
    assert!(complaint(&["--rate", "0"]).contains("--rate needs a positive number, and 0 is none"));
    assert!(complaint(&["--momentum", "1"]).contains("--momentum needs a number from 0 to below 1"));
    assert!(complaint(&["--steps", "many"]).contains("--help"));
    assert!(complaint(&["digits.csv"]).contains("\"digits.csv\" is not expected"));
}

#[test]
fn sparse_hessian_finds_the_surface_with_a_few_products() {
    let (text, picture) = table_and_picture("sparse_hessian", "sparse_hessian.svg", &["--side", "32"]);
    let row = |name: &str| -> Vec<f64> {
        let cells = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{text}"));
        cells.split_whitespace().filter_map(|cell| cell.parse().ok()).collect()
    };
    assert_eq!(row("variables"), [64.0, 256.0, 1024.0]);
    // Along a side of m points, m (m - 1) pairs meet in each direction of the grid, and (m - 1)² across a cell.
    let nonzeros = |m: f64| m * m + 2.0 * (2.0 * m * (m - 1.0) + (m - 1.0).powi(2));
    assert_eq!(row("nonzeros"), [8.0, 16.0, 32.0].map(nonzeros));
    // The known surface is met, and better by the square of the distance of the points.
    let errors = row("distance from the surface");
    for (k, error) in errors.iter().enumerate() {
        let cells = 8.0 * f64::from(1 << k) + 1.0;
        assert!((0.02..0.08).contains(&(error * cells * cells)), "{errors:?}");
    }
    // Three that meet one another need three colours; a few more do, however fine the grid.
    for order in ["Natural", "LargestFirst", "SmallestLast", "IncidenceDegree", "DynamicLargestFirst"] {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(order)).expect("the order");
        let counts: Vec<usize> = line.split(&[' ', '/']).filter_map(|cell| cell.parse().ok()).collect();
        assert_eq!(counts.len(), 6, "{text}");
        assert!(counts.chunks(2).all(|c| (3..=6).contains(&c[1]) && (c[1]..=10).contains(&c[0])), "{text}");
    }
    assert!(row("greatest difference from dense").iter().all(|&difference| difference < 1e-13), "{text}");
    let panels = [64, 64, nonzeros(8.0) as usize];
    assert_eq!(picture.matches("<rect").count(), 1 + panels.iter().map(|squares| squares + 1).sum::<usize>());
}

#[test]
fn sparse_hessian_explains_what_is_wrong() {
    let complaint = |arguments: &[&str]| complaint_of("sparse_hessian", arguments);
    assert!(complaint(&["--side", "7"]).contains("--side needs a number from 8 to 1024, and 7 is none"));
    assert!(complaint(&["--side", "many"]).contains("--help"));
    assert!(complaint(&["grid.csv"]).contains("\"grid.csv\" is not expected"));
    assert!(complaint(&["--side", "8", "--svg", "no/such/folder/x.svg"]).contains("no/such/folder/x.svg: "));
}

/// The lines of numbers after the line that begins with this.
fn numbers_below(text: &str, header: &str) -> Vec<Vec<f64>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(header)).skip(1);
    let numbers =
        |line: &str| line.split_whitespace().map(|cell| cell.parse().ok()).collect::<Option<Vec<_>>>();
    lines.map_while(|line| numbers(line).filter(|numbers| !numbers.is_empty())).collect()
}

#[test]
fn implicit_agrees_with_differences_and_tunes() {
    let (text, picture) = table_and_picture("implicit", "implicit.svg", &[]);
    // Strength, validation loss, slope, products, slope by differences, relative error.
    let curve = numbers_below(&text, "  strength   validation loss   slope in ln(strength)   products");
    assert_eq!(curve.len(), 16, "{text}");
    for row in &curve {
        assert!((row[2] / row[4] - 1.0).abs() < 1e-5 && row[5] < 1e-5, "{row:?}");
    }
    // The integral of the slopes is the difference of the losses: Simpson's rule over pairs of intervals.
    let third = 10.0_f64.ln() / 3.0;
    for rows in curve.windows(3).skip(6) {
        let [start, middle, end] = rows else { unreachable!() };
        let integral = third / 3.0 * (start[2] + 4.0 * middle[2] + end[2]);
        assert!((end[1] - start[1] - integral).abs() < 3e-4, "{start:?} {end:?}");
    }
    // Strength, validation loss, slope.
    let steps = numbers_below(text.split_once("tuned:\n").expect("the steps").1, "  strength");
    let end = steps.last().expect("a step");
    assert!(end[2].abs() < 1e-5 && curve.iter().all(|row| row[1] > end[1]), "{text}");
    assert!((end[0] / 3.29e-3 - 1.0).abs() < 0.01, "{text}");
    assert!(number_after(&text, "ms, relative error") < 1e-5, "{text}");
    assert!(number_after(&text, "\nvalidation loss") < 0.5 * end[1], "{text}");
    assert_eq!(picture.matches("<circle").count(), curve.len() + steps.len());
}

#[test]
fn implicit_reads_another_file() {
    // Labels with errors, so that the optimum stays where it is without regularisation too.
    let row = |i: u32| format!("{},{},{}\n", i % 7, (i * 37) % 11, u32::from((i % 7 > 2) != (i % 9 == 4)));
    let text: String = "size,weight,label\n".to_owned() + &(0..90).map(row).collect::<String>();
    let arguments = ["--l2", "0.1", "--seed", "5", "--steps", "2", &file("implicit.csv", &text)];
    let (text, _) = table_and_picture("implicit", "implicit_other.svg", &arguments);
    assert!(text.contains("90 rows, 2 features\n72 rows to fit, 18 to validate"), "{text}");
    assert!(text.contains("a strength for each of 2 features"), "{text}");
    assert!(number_after(&text, "ms, relative error") < 1e-3, "{text}");
}

#[test]
fn implicit_explains_what_is_wrong() {
    let complaint = |arguments: &[&str]| complaint_of("implicit", arguments);
    assert_eq!(complaint(&["--l2", "0"]), "implicit: --l2 needs a positive number, and 0 is none\n");
    assert!(complaint(&["--steps", "-1"]).contains("--help"));
    assert!(complaint(&["--fast"]).starts_with("implicit: \"--fast\" is not expected"));
    assert!(complaint(&["no/such.csv"]).contains("no/such.csv: cannot be read"));
    assert!(complaint(&["--svg", "no/such/folder/x.svg"]).contains("no/such/folder/x.svg: "));
}

/// The README and the book open with a program and its output, letter by letter those in this folder.
#[test]
fn the_documents_show_programs_and_their_output() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (document, name) in [("../README.md", "first"), ("../docs/src/getting-started.md", "rosenbrock")] {
        let page = std::fs::read_to_string(folder.join(document)).expect("the document");
        let source = std::fs::read_to_string(folder.join(name).with_extension("rs")).expect("the example");
        let block = |language: &str| {
            let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a code block");
            rest.split_once("```").expect("its end").0.to_owned()
        };
        let code = source.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
        assert_eq!(block("rust"), code.flat_map(|line| [line, "\n"]).collect::<String>());
        let output = Command::new(program(name)).output().expect("the program starts");
        assert_eq!(block("text"), String::from_utf8_lossy(&output.stdout));
    }
}
