//! What is wrong with a configuration: every problem with its place, gathered so that one look is enough.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes of the file's text.
pub(super) type Span = Range<usize>;

/// One thing that is wrong, where, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `forecourt.toml:12:5` (line and column from 1), a file, or the name of an environment variable.
    pub place: String,
    /// What is wrong and what to write, in one line.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong with a configuration, in the order of the file; shown one to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// A single problem with something that is no line of the file.
    pub(super) fn of(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self(vec![Problem { place: place.into(), message: message.into() }])
    }
}

/// Where something stands.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In the file.
    File(Span),
    /// In this variable of the environment.
    Environment(&'static str),
}

/// The title of a table of the file, and the keys that it may have.
pub(super) type Header = (&'static str, &'static [&'static str]);

/// Gathers problems and warnings while a file is read.
pub(super) struct Report<'t> {
    file: String,
    text: &'t str,
    headers: &'static [Header],
    problems: Vec<(usize, Problem)>,
    errors: Vec<String>,
    warnings: Vec<String>,
    advice: Vec<String>,
    files: Vec<PathBuf>,
}

/// What reading a configuration has come to.
#[derive(Debug)]
pub(super) struct Concluded<T> {
    /// What was read.
    pub(super) read: T,
    /// What is wrong and stops no start.
    pub(super) errors: Vec<String>,
    /// What a person should look at.
    pub(super) warnings: Vec<String>,
    /// What may be meant so, and may have been forgotten.
    pub(super) advice: Vec<String>,
    /// The files it was read from.
    pub(super) files: Vec<PathBuf>,
}

impl<'t> Report<'t> {
    /// An empty report about a file, under the name that a person knows it by.
    pub(super) fn about(file: impl Into<String>, text: &'t str) -> Self {
        let (problems, errors, warnings, advice) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { file: file.into(), text, headers: &[], problems, errors, warnings, advice, files: Vec::new() }
    }

    /// Lets it know the tables that the file may have, to tell where a stray key belongs.
    pub(super) fn with_headers(self, headers: &'static [Header]) -> Self {
        Self { headers, ..self }
    }

    /// The titles of the tables that may have all of these keys.
    pub(super) fn homes_of(&self, keys: &[&str]) -> Vec<&'static str> {
        let homes = self.headers.iter().filter(|(_, known)| keys.iter().all(|key| known.contains(key)));
        homes.map(|(title, _)| *title).collect()
    }

    /// Something that refuses the start.
    pub(super) fn problem_at(&mut self, place: &Place, message: impl Into<String>) {
        match place {
            Place::File(span) => self.problem(span, message),
            Place::Environment(variable) => self.problem_in_environment(variable, message),
        }
    }

    /// Something that is wrong and worked until now, so that it must not stop a start.
    pub(super) fn error_at(&mut self, place: &Place, message: impl fmt::Display) {
        match place {
            Place::File(span) => self.error(span, message),
            Place::Environment(variable) => self.errors.push(format!("{variable}: {message}")),
        }
    }

    /// Something that a person should look at.
    pub(super) fn warning_at(&mut self, place: &Place, message: impl fmt::Display) {
        match place {
            Place::File(span) => self.warning(span, message),
            Place::Environment(variable) => self.warnings.push(format!("{variable}: {message}")),
        }
    }

    /// Something in the file that may be meant so, and may have been forgotten.
    pub(super) fn advise(&mut self, span: &Span, message: impl fmt::Display) {
        let place = self.place(span);
        self.advice.push(format!("{place}: {message}"));
    }

    /// Something in the file that refuses the start.
    pub(super) fn problem(&mut self, span: &Span, message: impl Into<String>) {
        let place = self.place(span);
        self.problems.push((span.start, Problem { place, message: message.into() }));
    }

    /// Something in the environment that refuses the start.
    pub(super) fn problem_in_environment(&mut self, variable: &str, message: impl Into<String>) {
        self.problems.push((usize::MAX, Problem { place: variable.to_owned(), message: message.into() }));
    }

    /// Something in the file that is wrong and worked until now, so that it must not stop a start.
    pub(super) fn error(&mut self, span: &Span, message: impl fmt::Display) {
        let place = self.place(span);
        self.errors.push(format!("{place}: {message}"));
    }

    /// Something in the file that a person should look at.
    pub(super) fn warning(&mut self, span: &Span, message: impl fmt::Display) {
        let place = self.place(span);
        self.warnings.push(format!("{place}: {message}"));
    }

    /// A file that was read.
    pub(super) fn used(&mut self, path: &Path) {
        self.files.push(path.to_path_buf());
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, span: &Span) -> usize {
        self.line_and_column(span).0
    }

    /// What was read, with its warnings, or everything that is wrong. What could not be read has been reported.
    pub(super) fn conclude<T>(self, read: Option<T>) -> Result<Concluded<T>, Problems> {
        let Self { file: _, text: _, headers: _, mut problems, errors, warnings, advice, files } = self;
        match read {
            Some(read) if problems.is_empty() => Ok(Concluded { read, errors, warnings, advice, files }),
            Some(_) | None => {
                problems.sort_by_key(|(position, _)| *position);
                problems.dedup();
                Err(Problems(problems.into_iter().map(|(_, problem)| problem).collect()))
            }
        }
    }

    fn place(&self, span: &Span) -> String {
        let (line, column) = self.line_and_column(span);
        format!("{}:{line}:{column}", self.file)
    }

    fn line_and_column(&self, span: &Span) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column)
    }
}

/// Names in back quotes, for a list in a sentence.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `; did you mean ...?` where a known name is close to the word, else nothing.
pub(super) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let word = word.to_lowercase();
    let close = (word.chars().count() / 3).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= close)
        .min()
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let report = Report::about("forecourt.toml", "a = 1\né = 2\n");
        assert_eq!(report.place(&(0..1)), "forecourt.toml:1:1");
        assert_eq!(report.place(&(11..12)), "forecourt.toml:2:5");
        assert_eq!(report.place(&(900..901)), "forecourt.toml:3:1");
    }

    #[test]
    fn problems_stand_in_the_order_of_the_file_and_the_environment_comes_last() {
        let mut report = Report::about("f", "a\nb\n");
        report.problem_in_environment("FORECOURT_LISTEN", "third");
        report.problem(&(2..3), "second");
        report.problem(&(0..1), "first");
        let problems = report.conclude(Some(())).unwrap_err();
        assert_eq!(problems.to_string(), "f:1:1: first\nf:2:1: second\nFORECOURT_LISTEN: third");
    }

    #[test]
    fn only_a_close_name_is_suggested() {
        assert_eq!(suggestion("lissten", ["listen", "data_dir"]), "; did you mean `listen`?");
        assert_eq!(suggestion("colour", ["listen", "data_dir"]), "");
    }
}
