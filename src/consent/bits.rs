//! Bits of the web-safe base64 in which the IAB's strings travel, read where they stand.

/// Reads bits, most significant first. Every read past the end is `None`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Bits<'t> {
    /// The bits of `text`, base64url without padding (RFC 4648, 5).
    pub(super) fn of(text: &'t [u8]) -> Option<Self> {
        text.iter().all(|&symbol| sextet(symbol).is_some()).then_some(Self { text, at: 0 })
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let symbol = sextet(*self.text.get(self.at / 6)?)?;
        let bit = symbol >> (5 - self.at % 6) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// A number of `width` bits, at most 64.
    pub(super) fn number(&mut self, width: u32) -> Option<u64> {
        let mut number = 0;
        for _ in 0..width {
            number = number << 1 | u64::from(self.bit()?);
        }
        Some(number)
    }

    /// A number of 16 bits or fewer.
    pub(super) fn short(&mut self, width: u32) -> Option<u16> {
        u16::try_from(self.number(width)?).ok()
    }

    pub(super) fn skip(&mut self, bits: usize) -> Option<()> {
        self.at = self.at.checked_add(bits).filter(|&at| at <= self.text.len() * 6)?;
        Some(())
    }

    /// A number in Fibonacci coding: sums of 1, 2, 3, 5, 8..., the smallest first, ended by `11`.
    pub(super) fn fibonacci(&mut self) -> Option<u16> {
        let (mut sum, mut weight, mut next) = (0u16, 1u16, 2u16);
        let mut before = false;
        loop {
            let bit = self.bit()?;
            if bit && before {
                return Some(sum);
            }
            if bit {
                sum = sum.checked_add(weight)?;
            }
            (weight, next) = (next, weight.checked_add(next)?);
            before = bit;
        }
    }
}

fn sextet(symbol: u8) -> Option<u8> {
    match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let mut bits = Bits::of(b"DBA_").expect("base64url");
        assert_eq!((bits.number(6), bits.short(6)), (Some(3), Some(1)));
        assert_eq!(bits.skip(6), Some(()));
        assert_eq!((bits.bit(), bits.number(5)), (Some(true), Some(31)));
        assert_eq!((bits.bit(), bits.number(1), bits.skip(1)), (None, None, None));
        assert!(Bits::of(b"DBA=").is_none() && Bits::of(b"DB/+").is_none());
        assert_eq!(Bits::of(b"____").and_then(|mut bits| bits.short(17)), None);
    }

    #[test]
    fn fibonacci_coding() {
        // 2 = 011, 4 = 1011, 7 = 01011.
        let mut bits = Bits::of(b"Wy").expect("base64url");
        assert_eq!(bits.skip(1), Some(()));
        assert_eq!(bits.fibonacci(), Some(4));
        let endless = [b'V'; 40];
        let mut bits = Bits::of(&endless).expect("base64url");
        assert_eq!(bits.fibonacci(), None, "a number beyond 16 bits");
    }
}
