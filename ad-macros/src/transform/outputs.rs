//! Choosing what a transformed function returns: dropping outputs, binding seeds, merging directions.
