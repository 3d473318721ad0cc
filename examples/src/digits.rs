//! Reads the handwritten digits (`data/digits.csv`). Tables with two classes are read by [`crate::dataset`].

use std::path::Path;

use csv::Reader;
use thiserror::Error;

/// Pixels of an image.
pub const PIXELS: usize = 64;
/// Digits that there are.
pub const CLASSES: usize = 10;

/// Images with what they show.
#[derive(Clone, Debug, PartialEq)]
pub struct Digits {
    /// Image after image, [`PIXELS`] numbers from 0 (white) to 1 (black) each.
    pub pixels: Vec<f64>,
    /// The digit that each shows.
    pub labels: Vec<usize>,
}

/// Why the file cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DigitsError {
    /// It cannot be read, or a field is not a small integer.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// A line is not an image with its label.
    #[error("row {row}: 64 numbers up to 16 and a digit were expected")]
    Row {
        /// The first below the header is 1.
        row: usize,
    },
}

/// Reads a file of lines of 64 pixels, from 0 to 16, and a digit, below a header.
pub fn read(path: &Path) -> Result<Digits, DigitsError> {
    let mut digits = Digits { pixels: Vec::new(), labels: Vec::new() };
    let mut reader = Reader::from_path(path)?;
    for (index, row) in reader.deserialize::<Vec<u8>>().enumerate() {
        match row?.as_slice() {
            [pixels @ .., label]
                if pixels.len() == PIXELS
                    && pixels.iter().all(|&p| p <= 16)
                    && usize::from(*label) < CLASSES =>
            {
                digits.pixels.extend(pixels.iter().map(|&p| f64::from(p) / 16.0));
                digits.labels.push(usize::from(*label));
            }
            _ => return Err(DigitsError::Row { row: index + 1 }),
        }
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_file_is_complete() {
        let digits = read(&crate::program::data("digits.csv")).expect("the committed file");
        assert_eq!((digits.labels.len(), digits.pixels.len()), (1797, 1797 * PIXELS));
        let count = |digit| digits.labels.iter().filter(|&&label| label == digit).count();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(count),
            [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        );
        assert_eq!(digits.pixels.iter().sum::<f64>() * 16.0, 561_718.0);
    }

    #[test]
    fn what_is_no_digit_is_said() {
        let complaint = |name: &str, last: &str| {
            let path = std::env::temp_dir().join(format!("{}-{name}.csv", std::process::id()));
            let row = "16,".repeat(PIXELS);
            std::fs::write(&path, format!("{row}label\n{row}9\n{row}{last}\n")).expect("a file");
            let outcome = read(&path);
            std::fs::remove_file(&path).expect("the file");
            outcome.expect_err("no digit").to_string()
        };
        let shape = "row 2: 64 numbers up to 16 and a digit were expected";
        assert_eq!(complaint("class", "10"), shape);
        assert!(complaint("wide", "1,2").contains("found record with 66 fields"));
        assert!(complaint("text", "x").contains("line: 3"));
        assert!(read(Path::new("no/such.csv")).is_err());
    }
}
