//! Lists in field values (RFC 9110 5.6.1).

/// The parts of `text` between separators that stand in no quoted-string (RFC 9110 5.6.4).
pub fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |&byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            b'"' if !was_escaped => quoted = !quoted,
            b'\\' if quoted && !was_escaped => escaped = true,
            _ => return byte == separator && !quoted,
        }
        false
    })
}
