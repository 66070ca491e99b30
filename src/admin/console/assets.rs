//! The files that pages load: the style, htmx and the icon. They are in the program, and loaded from nowhere else.
//!
//! htmx is the file `dist/htmx.min.js` of the npm package `htmx.org` 2.0.11, unchanged, under the Zero-Clause BSD licence
//! (<https://github.com/bigskysoftware/htmx/blob/master/LICENSE>); a test holds its digest.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("../assets/console.css");
const HTMX: &str = include_str!("../assets/htmx-2.0.11.min.js");
const ICON: &str = include_str!("../assets/icon.svg");

/// Ten minutes: with another version they may be others, under the same names.
const KEPT: &str = "private, max-age=600";

/// A file by its name. No credential is asked for: the login page needs them, and they say nothing.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "htmx-2.0.11.min.js" => ("text/javascript; charset=utf-8", HTMX),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT)], text).into_response()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn htmx_is_the_published_file() {
        let digest: Vec<String> = Sha256::digest(HTMX).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest.concat(), "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717");
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for text in [STYLE, ICON] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for word in ["http:", "https:", "//", "@import", "url("] {
                assert!(!text.contains(word), "{word}");
            }
        }
    }
}
