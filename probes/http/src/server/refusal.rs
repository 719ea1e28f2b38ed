//! How is a request answered that does not get what it asks for?

use std::io;

use bytes::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use rustix::io::Errno;

use super::path::PathError;
use super::payload::Payload;

/// Why a request does not get what it asks for.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// Whether nothing more is read from this connection.
    closes: bool,
    location: Option<HeaderValue>,
    /// Bytes that the file has, for one who wants others.
    length: Option<u64>,
}

impl Refusal {
    /// The request cannot be understood; what follows it cannot be trusted.
    pub(super) fn malformed() -> Self {
        Self::closing(StatusCode::BAD_REQUEST)
    }

    /// Refused, and nothing more is read from this connection.
    pub(super) fn closing(status: StatusCode) -> Self {
        Self {
            closes: true,
            ..Self::from(status)
        }
    }

    /// It lies elsewhere.
    pub(super) fn moved(location: HeaderValue) -> Self {
        Self {
            location: Some(location),
            ..Self::from(StatusCode::PERMANENT_REDIRECT)
        }
    }

    /// The file has no such bytes, only `length` of them.
    pub(super) fn out_of_range(length: u64) -> Self {
        Self {
            length: Some(length),
            ..Self::from(StatusCode::RANGE_NOT_SATISFIABLE)
        }
    }

    /// The answer that says so.
    pub(super) fn response(self) -> Response<Payload> {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let text = format!("{} {reason}\n", self.status.as_str());
        let mut response = Response::new(Payload::Memory(Bytes::from(text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            // Demanded by RFC 9110, section 15.5.6.
            headers.insert(ALLOW, allowed());
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(location) = self.location {
            headers.insert(LOCATION, location);
        }
        if let Some(length) = self.length {
            let range = format!("bytes */{length}");
            let range = HeaderValue::try_from(range).expect("numbers are ASCII");
            headers.insert(CONTENT_RANGE, range);
        }
        response
    }
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Self {
        Self {
            status,
            closes: false,
            location: None,
            length: None,
        }
    }
}

impl From<PathError> for Refusal {
    fn from(why: PathError) -> Self {
        match why {
            PathError::Malformed => Self::malformed(),
            PathError::Hidden => StatusCode::NOT_FOUND.into(),
        }
    }
}

impl From<io::Error> for Refusal {
    /// An error of this host; one that passes by itself is told apart.
    fn from(why: io::Error) -> Self {
        let full = [Errno::MFILE, Errno::NFILE, Errno::NOMEM].map(Errno::raw_os_error);
        let passes = why.raw_os_error().is_some_and(|code| full.contains(&code));
        Self::from(if passes {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }
}

/// What may be done here, as the field `Allow` says it.
pub(super) fn allowed() -> HeaderValue {
    HeaderValue::from_static("GET, HEAD, OPTIONS")
}
