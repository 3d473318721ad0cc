//! Reads a classification data set with two classes from a CSV file.
//!
//! The file has a header line. The label is the column named `label` or `target`, or else the last one; all
//! others are numbers. Every complaint names the file, and where there is one, the line and the column.
//! What happens to the numbers afterwards (split, scaling) is in [`crate::prepare`].

use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

/// Rows of numbers with a label 0 or 1 each.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Names of the feature columns.
    pub names: Vec<String>,
    /// Row after row, `names.len()` numbers each.
    pub features: Vec<f64>,
    /// One for each row: 0 or 1.
    pub labels: Vec<f64>,
    /// What the file calls the labels 0 and 1.
    pub classes: [String; 2],
}

impl Dataset {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.labels.len()
    }
    /// How many feature columns there are.
    pub fn columns(&self) -> usize {
        self.names.len()
    }
}

/// Where in a file something is wrong. Prints as `line 7, column 3 ("mean_area")`; both count from 1, the
/// header is line 1, and columns are fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line of the file.
    pub line: usize,
    /// Field of the line.
    pub column: usize,
    /// The name of the column, empty where it has none.
    pub name: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " (\"{}\")", self.name) }
    }
}

/// Why a data file cannot be used: prints as `file: line 7, column 3 ("mean_area"): what is wrong`.
#[derive(Debug, Error)]
#[error("{}: {}{fault}", path.display(), place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default())]
pub struct DatasetError {
    /// The file.
    pub path: Box<Path>,
    /// Where in it, unless it is wrong as a whole.
    pub place: Option<Place>,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong with a data file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// There is nothing in the file.
    #[error("the file is empty; a header line and data lines were expected")]
    Empty,
    /// The first line holds numbers alone.
    #[error("numbers alone; a header line with the names of the columns was expected")]
    NoHeader,
    /// There is one column only, or columns are not separated by commas.
    #[error("one column, \"{0}\"; features and a label, separated by commas, were expected")]
    OneColumn(String),
    /// There is a header and nothing else.
    #[error("no data after the header")]
    NoRows,
    /// A line has more or fewer fields than the header. The place is the first field too few or too many.
    #[error("the line has {found} fields, the header has {expected}")]
    Ragged {
        /// Fields in the line.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// A field is not UTF-8 text.
    #[error("not UTF-8 text")]
    NotText,
    /// A field is empty.
    #[error("the field is empty")]
    Missing,
    /// A feature is not a number.
    #[error("\"{0}\" is not a number")]
    NotANumber(String),
    /// A number is NaN or infinite, or too large for an `f64`.
    #[error("\"{0}\" is not a finite number")]
    NotFinite(String),
    /// All rows have the same label. The place is the last one.
    #[error("every label is \"{0}\"; two classes were expected")]
    OneClass(String),
    /// There are more than two labels. The place is the first that is a third one.
    #[error("\"{third}\" is a third class beside \"{first}\" and \"{second}\"; two were expected")]
    ManyClasses {
        /// The class that was met first.
        first: Box<str>,
        /// The class that was met next.
        second: Box<str>,
        /// The one too many.
        third: Box<str>,
    },
}

/// Reads `path`.
///
/// Of the two classes, the smaller one is 0 (by number where both are numbers, else by alphabet), so that
/// labels 0 and 1 keep their meaning.
pub fn read(path: &Path) -> Result<Dataset, DatasetError> {
    let bytes = std::fs::read(path).map_err(|error| DatasetError {
        path: path.into(),
        place: None,
        fault: Fault::Unreadable(error),
    })?;
    parse(path, &bytes)
}

/// Reads the contents of a file; `path` is for complaints.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Dataset, DatasetError> {
    let mut file = File { path, lines: Lines::new(bytes), header: StringRecord::new(), label: 0 };
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(bytes);
    let mut record = StringRecord::new();
    if !file.next(&mut reader, &mut record)? {
        return Err(file.wrong(Fault::Empty));
    }
    file.take_header(&record)?;

    let (mut features, mut labels) = (Vec::new(), Vec::new());
    let mut classes = Vec::with_capacity(2);
    while file.next(&mut reader, &mut record)? {
        file.check_width(&record)?;
        for (column, text) in record.iter().enumerate() {
            if column == file.label {
                labels.push(file.class(column, text, &mut classes)?);
            } else {
                features.push(file.number(column, text)?);
            }
        }
    }
    let classes = file.order_classes(classes, &mut labels)?;
    Ok(Dataset { names: file.feature_names(), features, labels, classes })
}

/// The file being read.
struct File<'a> {
    path: &'a Path,
    lines: Lines<'a>,
    header: StringRecord,
    /// Which column is the label.
    label: usize,
}

impl File<'_> {
    /// The next line that is not blank; false at the end of the file.
    fn next(
        &mut self,
        reader: &mut csv::Reader<&[u8]>,
        record: &mut StringRecord,
    ) -> Result<bool, DatasetError> {
        self.lines.record_starts_at(usize::try_from(reader.position().byte()).unwrap_or(usize::MAX));
        reader.read_record(record).map_err(|error| match error.kind() {
            ErrorKind::Utf8 { err, .. } => self.wrong_at(err.field(), Fault::NotText),
            _ => self.wrong(Fault::Unreadable(error.into())),
        })
    }

    fn take_header(&mut self, record: &StringRecord) -> Result<(), DatasetError> {
        if record.iter().all(|field| field.parse::<f64>().is_ok()) {
            return Err(self.wrong_at(0, Fault::NoHeader));
        }
        if record.len() < 2 {
            return Err(self.wrong_at(0, Fault::OneColumn(record.iter().collect())));
        }
        let named = |name: &str| record.iter().position(|field| field.eq_ignore_ascii_case(name));
        self.label = named("label").or_else(|| named("target")).unwrap_or(record.len() - 1);
        self.header = record.clone();
        Ok(())
    }

    fn feature_names(&self) -> Vec<String> {
        let features = self.header.iter().enumerate().filter(|(column, _)| *column != self.label);
        features.map(|(_, name)| name.to_owned()).collect()
    }

    fn check_width(&self, record: &StringRecord) -> Result<(), DatasetError> {
        let (found, expected) = (record.len(), self.header.len());
        if found == expected {
            return Ok(());
        }
        Err(self.wrong_at(found.min(expected), Fault::Ragged { found, expected }))
    }

    fn number(&self, column: usize, text: &str) -> Result<f64, DatasetError> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            Ok(_) => Err(self.wrong_at(column, Fault::NotFinite(text.to_owned()))),
            Err(_) if text.is_empty() => Err(self.wrong_at(column, Fault::Missing)),
            Err(_) => Err(self.wrong_at(column, Fault::NotANumber(text.to_owned()))),
        }
    }

    /// The label as the index of its class among those met so far.
    fn class(&self, column: usize, text: &str, classes: &mut Vec<String>) -> Result<f64, DatasetError> {
        if text.is_empty() {
            return Err(self.wrong_at(column, Fault::Missing));
        }
        if text.parse::<f64>().is_ok_and(|number| !number.is_finite()) {
            return Err(self.wrong_at(column, Fault::NotFinite(text.to_owned())));
        }
        let known = classes.iter().position(|class| same_class(class, text));
        if let (None, [first, second]) = (known, classes.as_slice()) {
            let (first, second, third) = (first.as_str().into(), second.as_str().into(), text.into());
            return Err(self.wrong_at(column, Fault::ManyClasses { first, second, third }));
        }
        Ok(known.unwrap_or_else(|| {
            classes.push(text.to_owned());
            classes.len() - 1
        }) as f64)
    }

    /// Checks that there are two classes, and gives the smaller one the label 0.
    fn order_classes(&self, classes: Vec<String>, labels: &mut [f64]) -> Result<[String; 2], DatasetError> {
        let mut classes = classes.into_iter();
        match (classes.next(), classes.next()) {
            (None, _) => Err(self.wrong(Fault::NoRows)),
            (Some(class), None) => Err(self.wrong_at(self.label, Fault::OneClass(class))),
            (Some(first), Some(second)) => {
                let swap = match (first.parse::<f64>(), second.parse::<f64>()) {
                    (Ok(a), Ok(b)) => a > b,
                    _ => first > second,
                };
                if !swap {
                    return Ok([first, second]);
                }
                for label in labels.iter_mut() {
                    *label = 1.0 - *label;
                }
                Ok([second, first])
            }
        }
    }

    /// The file as a whole is wrong.
    fn wrong(&self, fault: Fault) -> DatasetError {
        DatasetError { path: self.path.into(), place: None, fault }
    }

    /// The field `column` (from 0) of the line that was read last is wrong.
    fn wrong_at(&self, column: usize, fault: Fault) -> DatasetError {
        let name = self.header.get(column).unwrap_or_default().to_owned();
        let place = Place { line: self.lines.line, column: column + 1, name };
        DatasetError { path: self.path.into(), place: Some(place), fault }
    }
}

/// `1`, `1.0` and `1e0` are one class.
fn same_class(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b)
}

/// Counts lines. The reader's own count stands before the blank lines, and the second half of a `\r\n`, that it
/// is about to skip.
struct Lines<'a> {
    bytes: &'a [u8],
    /// How far lines have been counted.
    at: usize,
    /// The line that the last record starts on.
    line: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Lines { bytes, at: 0, line: 1 }
    }

    /// Moves on to the record that the reader finds from `byte` on, if there is one.
    fn record_starts_at(&mut self, byte: usize) {
        let rest = self.bytes.get(byte..).unwrap_or_default();
        let Some(blank) = rest.iter().position(|b| !matches!(b, b'\n' | b'\r')) else { return };
        while self.at < byte + blank {
            let half = self.bytes[self.at] == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n');
            self.line += usize::from(matches!(self.bytes[self.at], b'\n' | b'\r') && !half);
            self.at += 1;
        }
    }
}
