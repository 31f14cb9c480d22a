//! A site's logo, of a closed set of types.

/// The largest logo that is served.
pub const MAX_LOGO_BYTES: usize = 256 * 1024;

/// An image that is what its name says.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// Its type.
    pub kind: LogoKind,
    /// The file.
    pub bytes: bytes::Bytes,
}

/// The types that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoKind {
    /// SVG.
    Svg,
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
}

/// Why a file is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoError {
    /// Its name ends in no type that is served.
    Kind,
    /// Its contents are not of that type.
    Contents,
    /// It is larger than [`MAX_LOGO_BYTES`].
    TooLarge,
}

impl Logo {
    /// The image in `bytes`, read from a file called `name`.
    ///
    /// # Errors
    ///
    /// [`LogoError`]
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Self, LogoError> {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let kind = match extension.as_deref() {
            Some("svg") => LogoKind::Svg,
            Some("png") => LogoKind::Png,
            Some("jpg" | "jpeg") => LogoKind::Jpeg,
            Some("webp") => LogoKind::Webp,
            _ => return Err(LogoError::Kind),
        };
        if bytes.len() > MAX_LOGO_BYTES {
            return Err(LogoError::TooLarge);
        }
        let fits = match kind {
            LogoKind::Svg => std::str::from_utf8(&bytes).is_ok_and(|text| text.contains("<svg")),
            LogoKind::Png => bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
            LogoKind::Jpeg => bytes.starts_with(&[0xff, 0xd8, 0xff]),
            LogoKind::Webp => bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
        };
        if fits { Ok(Self { kind, bytes: bytes.into() }) } else { Err(LogoError::Contents) }
    }
}

impl std::fmt::Debug for Logo {
    /// Without the image.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logo").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl LogoKind {
    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_what_its_name_says() {
        let logo = |name, bytes: &[u8]| Logo::new(name, bytes.to_vec()).map(|logo| logo.kind);
        assert_eq!(logo("a/l.svg", b"<?xml?><svg/>"), Ok(LogoKind::Svg));
        assert_eq!(logo("l.PNG", b"\x89PNG\r\n\x1a\n..."), Ok(LogoKind::Png));
        assert_eq!(logo("l.jpeg", b"\xff\xd8\xff\xe0"), Ok(LogoKind::Jpeg));
        assert_eq!(logo("l.webp", b"RIFF....WEBP"), Ok(LogoKind::Webp));
        assert_eq!(logo("l.png", b"<svg/>"), Err(LogoError::Contents));
        assert_eq!(logo("l.svg", b"\xff<svg"), Err(LogoError::Contents));
        assert_eq!(logo("l.html", b"<svg/>"), Err(LogoError::Kind));
        assert_eq!(logo("svg", b"<svg/>"), Err(LogoError::Kind));
        assert_eq!(logo("l.svg", &vec![b' '; MAX_LOGO_BYTES + 1]), Err(LogoError::TooLarge));
    }
}
