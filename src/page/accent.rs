//! A site's colour, and whether text in it can be read.

use std::fmt;

/// The contrast that text needs (WCAG 2.2, success criterion 1.4.3).
pub const LEAST_CONTRAST: f64 = 4.5;

/// The colour of buttons and links, dark enough beside white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent([u8; 3]);

/// Why a colour cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AccentError {
    /// It is not written `#rrggbb`.
    Form,
    /// Its contrast with white, which is below [`LEAST_CONTRAST`].
    Contrast(f64),
}

impl Accent {
    /// The colour written `#rrggbb`.
    ///
    /// # Errors
    ///
    /// [`AccentError`]
    pub fn new(text: &str) -> Result<Self, AccentError> {
        let digits = text.strip_prefix('#').ok_or(AccentError::Form)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(AccentError::Form);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| AccentError::Form)?;
        let [_, red, green, blue] = number.to_be_bytes();
        let accent = Self([red, green, blue]);
        match accent.contrast() {
            contrast if contrast < LEAST_CONTRAST => Err(AccentError::Contrast(contrast)),
            _ => Ok(accent),
        }
    }

    /// The contrast with white (WCAG 2.2, "contrast ratio" and "relative luminance").
    fn contrast(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        1.05 / (luminance + 0.05)
    }
}

impl Default for Accent {
    /// A dark blue.
    fn default() -> Self {
        Self([0x1f, 0x4e, 0x8c])
    }
}

impl fmt::Display for Accent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_with_white() {
        let contrast = |rgb| (Accent(rgb).contrast() * 100.0).round() / 100.0;
        for (rgb, expected) in [
            ([0, 0, 0], 21.0),
            ([255, 255, 255], 1.0),
            ([0x76, 0x76, 0x76], 4.54),
            ([0x77, 0x77, 0x77], 4.48),
            ([255, 0, 0], 4.0),
        ] {
            assert!((contrast(rgb) - expected).abs() < 0.005, "{rgb:?}: {}", contrast(rgb));
        }
        assert!(Accent::default().contrast() >= LEAST_CONTRAST);
    }

    #[test]
    fn colours_as_they_are_written() {
        assert_eq!(Accent::new("#767676").map(|accent| accent.to_string()), Ok("#767676".into()));
        for text in ["", "#", "767676", "#76767", "#7676766", "#+12345", "#76767g", "#é7676", "red"]
        {
            assert_eq!(Accent::new(text), Err(AccentError::Form), "{text}");
        }
        assert!(matches!(Accent::new("#777777"), Err(AccentError::Contrast(_))));
    }
}
