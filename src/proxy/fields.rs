//! Which of the fields that a gateway treats in a way of its own a message has.
//!
//! Most messages have one or two of them, or none. One look at each name that is there costs a
//! fraction of looking up every name that might be.

use http::{HeaderMap, HeaderName, header};

/// A field that is treated in a way of its own, by its place in [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `Connection`, which may list others.
    Connection,
    /// `Keep-Alive`.
    KeepAlive,
    /// `Proxy-Connection`.
    ProxyConnection,
    /// `Proxy-Authenticate`.
    ProxyAuthenticate,
    /// `Proxy-Authorization`.
    ProxyAuthorization,
    /// `TE`.
    Te,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Upgrade`.
    Upgrade,
    /// `Content-Length`.
    ContentLength,
    /// `Expect`.
    Expect,
    /// `Alt-Svc`.
    AltSvc,
    /// Any whose name begins with `x-` and may speak of the client.
    Extension,
    /// Any whose name holds `_`.
    Underscore,
}

/// The names of those fields that have one, in the order of [`Field`].
static NAMES: [HeaderName; 11] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::ALT_SVC,
];

/// Fields that concern one connection, whether or not `Connection` lists them (RFC 9110 7.6.1).
pub const HOP_BY_HOP: [Field; 8] = [
    Field::Connection,
    Field::KeepAlive,
    Field::ProxyConnection,
    Field::ProxyAuthenticate,
    Field::ProxyAuthorization,
    Field::Te,
    Field::TransferEncoding,
    Field::Upgrade,
];

/// The fields that were there when it was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields(u16);

impl Fields {
    /// Those in `headers`.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |fields, name| fields | bit(field(name.as_str()))))
    }

    /// Those in an answer's `headers`, in which none speaks of the client.
    #[must_use]
    pub fn of_answer(headers: &HeaderMap) -> Self {
        Self(headers.keys().fold(0, |fields, name| fields | bit(named(name.as_str()))))
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn have(self, field: Field) -> bool {
        self.0 & bit(Some(field)) != 0
    }
}

fn bit(field: Option<Field>) -> u16 {
    field.map_or(0, |field| 1 << field as u16)
}

fn field(name: &str) -> Option<Field> {
    let kind = || match name {
        _ if name.contains('_') => Some(Field::Underscore),
        _ if name.starts_with("x-") => Some(Field::Extension),
        _ => None,
    };
    named(name).or_else(kind)
}

fn named(name: &str) -> Option<Field> {
    Some(match name {
        "connection" => Field::Connection,
        "keep-alive" => Field::KeepAlive,
        "proxy-connection" => Field::ProxyConnection,
        "proxy-authenticate" => Field::ProxyAuthenticate,
        "proxy-authorization" => Field::ProxyAuthorization,
        "te" => Field::Te,
        "transfer-encoding" => Field::TransferEncoding,
        "upgrade" => Field::Upgrade,
        "content-length" => Field::ContentLength,
        "expect" => Field::Expect,
        "alt-svc" => Field::AltSvc,
        _ => return None,
    })
}

impl Field {
    /// Its name.
    ///
    /// # Panics
    ///
    /// For [`Field::Extension`] and [`Field::Underscore`], which are many.
    #[must_use]
    pub fn name(self) -> &'static HeaderName {
        NAMES.get(self as usize).expect("a field with one name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_its_field() {
        for (index, name) in NAMES.iter().enumerate() {
            let field = field(name.as_str()).expect("known");
            assert_eq!((field as usize, field.name()), (index, name));
        }
        assert_eq!(field("cookie"), None);
        assert_eq!(field("x-real-ip"), Some(Field::Extension));
        assert_eq!(field("x-real_ip"), Some(Field::Underscore));
    }

    #[test]
    fn those_that_are_there() {
        let mut headers = HeaderMap::new();
        for name in ["connection", "x-forwarded-for", "accept"] {
            headers.insert(name, http::HeaderValue::from_static("x"));
        }
        let fields = Fields::of(&headers);
        assert!(fields.have(Field::Connection) && fields.have(Field::Extension));
        assert!(!fields.have(Field::Te) && !fields.have(Field::Underscore));
    }
}
