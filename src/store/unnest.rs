//! Rows as lists, one for each column: what `unnest` makes into rows again, in a tenth of the time that it takes Postgres to
//! read them as JSON.

/// A column of rows.
pub(super) fn list<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Texts as Postgres writes an array of them, because lists of lists are not taken apart as they were put together.
pub(super) fn array<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut array = String::from("{");
    for text in texts {
        if array.len() > 1 {
            array.push(',');
        }
        array.push('"');
        for letter in text.chars() {
            if matches!(letter, '"' | '\\') {
                array.push('\\');
            }
            array.push(letter);
        }
        array.push('"');
    }
    array.push('}');
    array
}

/// A statement from a file whose parameters are a workspace and the lists of structs, in this order; what stands in
/// brackets is a parameter as it is.
macro_rules! save_lists {
    (@collect [$file:literal $($done:tt)*]) => { sqlx::query_file!($file $($done)*) };
    (@collect [$($done:tt)*] $rows:ident => $($row:ident)+; $($rest:tt)*) => {
        $crate::store::unnest::save_lists!(@collect [$($done)* $(, &$rows.$row as _)+] $($rest)*)
    };
    (@collect [$($done:tt)*] [$value:expr]; $($rest:tt)*) => {
        $crate::store::unnest::save_lists!(@collect [$($done)* , $value] $($rest)*)
    };
    ($file:literal, $workspace:expr, $($rest:tt)+) => {
        $crate::store::unnest::save_lists!(@collect [$file, $workspace.get()] $($rest)+)
    };
}

pub(super) use save_lists;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_an_array_keep_their_quotes_and_backslashes() {
        assert_eq!(array([]), "{}");
        assert_eq!(array(["a b", r#"say "x\y", {z}"#, ""]), r#"{"a b","say \"x\\y\", {z}",""}"#);
    }
}
