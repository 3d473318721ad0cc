//! The reader of data files: what it reads, and what it says of files that it cannot read.

use std::path::Path;

use examples::dataset::{Dataset, DatasetError, Fault, Place, parse, read};

fn parsed(text: &str) -> Result<Dataset, DatasetError> {
    parse(Path::new("t.csv"), text.as_bytes())
}

/// The complaint about `text`.
fn complaint(text: &str) -> String {
    parsed(text).expect_err("a file that cannot be read").to_string()
}

#[test]
fn the_committed_data_is_complete() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/breast_cancer_wisconsin.csv");
    let data = read(&path).expect("the committed file");
    assert_eq!((data.rows(), data.columns()), (569, 30));
    assert_eq!(data.features.len(), 569 * 30);
    assert_eq!(data.labels.iter().filter(|label| **label == 0.0).count(), 212);
    assert_eq!(data.names[0], "mean_radius");
    assert_eq!(data.features[0], 17.99);
    assert_eq!(data.features[569 * 30 - 1], 0.070_39);
    assert_eq!(data.classes, ["0", "1"]);
}

#[test]
fn the_label_is_the_column_of_that_name_or_the_last() {
    for (text, names, features, labels) in [
        ("a,b,y\n1,2,0\n3,4,1\n", ["a", "b"], [1.0, 2.0, 3.0, 4.0], [0.0, 1.0]),
        ("a,label,b\n1,0,2\n3,1,4\n", ["a", "b"], [1.0, 2.0, 3.0, 4.0], [0.0, 1.0]),
        ("Target,a,b\n1,1,2\n0,3,4\n", ["a", "b"], [1.0, 2.0, 3.0, 4.0], [1.0, 0.0]),
    ] {
        let data = parsed(text).expect(text);
        assert_eq!(
            (data.names.as_slice(), data.features.as_slice()),
            (&names.map(String::from)[..], &features[..])
        );
        assert_eq!(data.labels, labels);
    }
}

#[test]
fn classes_may_have_any_two_names_and_the_smaller_is_0() {
    let text = parsed("a,y\n1,M\n2,B\n3,M\n").expect("two classes");
    assert_eq!((text.classes, text.labels), (["B".into(), "M".into()], vec![1.0, 0.0, 1.0]));
    let signs = parsed("a,y\n1,1\n2,-1\n3,1.0\n").expect("two classes");
    assert_eq!((signs.classes, signs.labels), (["-1".into(), "1".into()], vec![1.0, 0.0, 1.0]));
}

#[test]
fn spaces_blank_lines_windows_ends_quotes_and_byte_order_marks_are_read() {
    let data = parsed("\u{feff}a , \"y\"\r\n\r\n 1.5e-3 ,0\r\n\"2\",1").expect("a good file");
    assert_eq!(data.names, ["a"]);
    assert_eq!((data.features, data.labels), (vec![1.5e-3, 2.0], vec![0.0, 1.0]));
}

#[test]
fn a_missing_file_is_said() {
    let error = read(Path::new("no/such/file.csv")).expect_err("there is no such file");
    assert!(matches!(error.fault, Fault::Unreadable(_)));
    assert!(error.to_string().starts_with("no/such/file.csv: cannot be read: "), "{error}");
}

#[test]
fn a_folder_is_not_a_file() {
    let error = read(Path::new(env!("CARGO_MANIFEST_DIR"))).expect_err("a folder");
    assert!(matches!(error.fault, Fault::Unreadable(_)), "{error}");
}

#[test]
fn an_empty_file_is_said() {
    for text in ["", "\n\n", "\u{feff}"] {
        assert_eq!(complaint(text), "t.csv: the file is empty; a header line and data lines were expected");
    }
}

#[test]
fn a_header_without_rows_is_said() {
    for text in ["a,y", "a,y\n", "a,y\n\n\n"] {
        assert_eq!(complaint(text), "t.csv: no data after the header");
    }
}

#[test]
fn a_missing_header_is_said() {
    assert!(complaint("1,2,0\n3,4,1\n").starts_with("t.csv: line 1, column 1: numbers alone"));
}

#[test]
fn another_separator_is_said() {
    assert_eq!(
        complaint("a;b;y\n1;2;0\n"),
        "t.csv: line 1, column 1: one column, \"a;b;y\"; features and a label, separated by commas, were expected"
    );
}

#[test]
fn a_bad_number_is_said_with_line_and_column() {
    assert_eq!(
        complaint("a,b,y\n1,2,0\n3,4x,1\n"),
        "t.csv: line 3, column 2 (\"b\"): \"4x\" is not a number"
    );
}

#[test]
fn an_empty_field_is_said_with_line_and_column() {
    assert_eq!(complaint("a,b,y\n1, ,0\n"), "t.csv: line 2, column 2 (\"b\"): the field is empty");
    assert_eq!(complaint("a,b,y\n1,2,\n"), "t.csv: line 2, column 3 (\"y\"): the field is empty");
}

#[test]
fn nan_and_infinity_are_said_with_line_and_column() {
    for text in ["NaN", "inf", "-infinity", "1e999"] {
        let said = complaint(&format!("a,b,y\n1,2,0\n{text},4,1\n"));
        assert_eq!(said, format!("t.csv: line 3, column 1 (\"a\"): \"{text}\" is not a finite number"));
    }
    assert_eq!(complaint("a,y\n1,nan\n"), "t.csv: line 2, column 2 (\"y\"): \"nan\" is not a finite number");
}

#[test]
fn a_short_row_is_said_with_line_and_column() {
    assert_eq!(
        complaint("a,b,y\n1,2,0\n3,4\n"),
        "t.csv: line 3, column 3 (\"y\"): the line has 2 fields, the header has 3"
    );
}

#[test]
fn a_long_row_is_said_with_line_and_column() {
    assert_eq!(
        complaint("a,b,y\n1,2,0\n3,4,1,5\n"),
        "t.csv: line 3, column 4: the line has 4 fields, the header has 3"
    );
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let place = |text: &str| match parsed(text) {
        Err(DatasetError {
            place: Some(Place { line, column, .. }), fault: Fault::NotANumber(_), ..
        }) => (line, column),
        other => panic!("{other:?}"),
    };
    assert_eq!(place("a,y\n1,0\n\n\n?,1\n"), (5, 1));
    assert_eq!(place("a,y\r\n1,0\r\n\r\n?,1\r\n"), (4, 1));
    assert_eq!(place("a,y\r1,0\r?,1\r"), (3, 1));
    assert_eq!(place("\n\na,y\n1,0\n?,1"), (5, 1));
    assert_eq!(place("\u{feff}a,y\n1,0\n?,1"), (3, 1));
    assert_eq!(place("a,\"y\nlong\"\n1,0\n?,1"), (4, 1));
}

#[test]
fn a_single_class_is_said() {
    assert_eq!(
        complaint("a,y\n1,0\n2,0\n"),
        "t.csv: line 3, column 2 (\"y\"): every label is \"0\"; two classes were expected"
    );
}

#[test]
fn a_third_class_is_said_with_line_and_column() {
    assert_eq!(
        complaint("a,y\n1,0\n2,1\n3,0\n4,2\n"),
        "t.csv: line 5, column 2 (\"y\"): \"2\" is a third class beside \"0\" and \"1\"; two were expected"
    );
}

#[test]
fn bytes_that_are_not_text_are_said_with_line_and_column() {
    let error = parse(Path::new("t.csv"), b"a,b,y\n1,2,0\n1,\xff\xfe,1\n").expect_err("not UTF-8");
    assert_eq!(error.to_string(), "t.csv: line 3, column 2 (\"b\"): not UTF-8 text");
}
