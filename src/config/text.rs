//! Texts that people write into files and variables, as bytes: UTF-8, and without what an editor puts before them.

use std::fmt;

/// Why bytes are no text. Says nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotText {
    /// UTF-16, as some editors and shells of Windows write it.
    Utf16,
    /// Something else that is not UTF-8.
    Other,
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16 => "is not a text in UTF-8 but one in UTF-16",
            Self::Other => "is not a text in UTF-8",
        })
    }
}

/// The text that bytes are. A byte order mark at its start (U+FEFF in UTF-8), which editors of Windows put there, is no
/// part of it; a text in UTF-16 is told as what it is, whether it begins with such a mark or not.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, NotText> {
    let is_marked = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    // In UTF-16 every letter of a secret has a zero byte beside it; nobody writes one into a text.
    if is_marked || bytes.contains(&0) {
        return Err(NotText::Utf16);
    }
    let text = String::from_utf8(bytes).map_err(|_bytes_would_be_shown| NotText::Other)?;
    Ok(without_mark(&text).to_owned())
}

/// The text without the byte order mark at its start.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_at_the_start_is_no_part_of_a_text_and_utf_16_is_told_as_such() {
        let table: [(&[u8], Result<&str, NotText>); 9] = [
            (b"abc", Ok("abc")),
            (b"\xEF\xBB\xBFabc\r\n", Ok("abc\r\n")),
            (b"a\xEF\xBB\xBFbc", Ok("a\u{feff}bc")),
            (b"", Ok("")),
            (b"\xFF\xFEa\0b\0", Err(NotText::Utf16)),
            (b"\xFE\xFF\0a\0b", Err(NotText::Utf16)),
            (b"a\0b\0", Err(NotText::Utf16)),
            (b"\xEF\xBBabc", Err(NotText::Other)),
            (b"m\xFCller", Err(NotText::Other)),
        ];
        for (bytes, expected) in table {
            assert_eq!(text(bytes.to_vec()), expected.map(str::to_owned), "{bytes:x?}");
        }
    }
}
