//! What a request is called on its way through several programs: `X-Request-Id`, which is made where none came and returned,
//! and `traceparent` (W3C Trace Context). Both stand in the log; so what does not have their form is not taken for one.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use tower_http::request_id::{MakeRequestId, RequestId};
use uuid::Uuid;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The most letters of an id that came.
const LONGEST: usize = 64;
/// The letters of a `traceparent`: version, trace, parent and flags, with hyphens between them.
const TRACEPARENT_LENGTH: usize = 55;

/// Makes an id for a request that brings none.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewId;

impl MakeRequestId for NewId {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

/// Takes away what came as an id and has not the form of one: one of a sender's making could hold anything.
pub(super) fn take_away_other(mut request: Request) -> Request {
    let mut came = request.headers().get_all(X_REQUEST_ID).iter();
    let is_one = match (came.next(), came.next()) {
        (Some(value), None) => is_id(value.as_bytes()),
        (_, Some(_)) => false,
        (None, None) => true,
    };
    if !is_one {
        request.headers_mut().remove(X_REQUEST_ID);
    }
    request
}

/// The id of a request.
pub(super) fn id_of(request: &Request) -> Option<&str> {
    request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok())
}

/// The `traceparent` of a request, where it has one that is well formed. What a later version adds behind is left out.
pub(super) fn trace_of(request: &Request) -> Option<&str> {
    let mut came = request.headers().get_all(TRACEPARENT).iter();
    let (Some(value), None) = (came.next(), came.next()) else { return None };
    well_formed(value.to_str().ok()?)
}

fn is_id(value: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=LONGEST).contains(&value.len()) && value.iter().all(is_letter)
}

/// Trace Context §3.2: `00-<32 digits>-<16 digits>-<2 digits>`, hexadecimal in lower case, of which trace and parent are not
/// nought. A later version may go on behind another hyphen; `ff` is none.
fn well_formed(value: &str) -> Option<&str> {
    let (known, rest) = value.split_at_checked(TRACEPARENT_LENGTH)?;
    let mut parts = known.split('-');
    let mut part = |length| parts.next().filter(|part| part.len() == length && part.bytes().all(is_digit));
    let (version, trace, parent, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let is_nought = |part: &str| part.bytes().all(|byte| byte == b'0');
    let goes_on = rest.is_empty() || (version != "00" && rest.starts_with('-'));
    (version != "ff" && !is_nought(trace) && !is_nought(parent) && goes_on).then_some(known)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_to_64_letters_digits_dots_underscores_and_hyphens() {
        for good in ["a", "01993b5e-6f6e-7cc1-b0a4-3d1b0c7a9e11", "A.b_c-9", &"x".repeat(64)] {
            assert!(is_id(good.as_bytes()), "{good}");
        }
        for bad in ["", &"x".repeat(65), "a b", "a@b", "a/b", "é", "a\"b", "a,b", "a=b"] {
            assert!(!is_id(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_traceparent_has_the_form_that_its_standard_says() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(well_formed(good), Some(good));
        let later = good.replacen("00", "cc", 1);
        assert_eq!(well_formed(&later), Some(later.as_str()));
        assert_eq!(well_formed(&format!("{later}-what the future brings")), Some(later.as_str()));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "0-04bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-0f067aa0ba902b7-01",
        ] {
            assert_eq!(well_formed(bad), None, "{bad}");
        }
    }
}
