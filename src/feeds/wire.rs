//! Lenient reading: number or string, empty as none, wrong types noted, unknown fields collected.
