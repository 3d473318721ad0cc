//! How each loop runs backwards.
