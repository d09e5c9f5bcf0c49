/// 32 hexadecimal digits, kept with the letter case they were written in.
///
/// Twilio declares `[0-9a-fA-F]{32}`; a SID must go back to it as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hex32 {
    pub(super) bytes: [u8; 16],
    /// One bit a digit, most significant first: the letter was upper case.
    pub(super) upper: [u8; 4],
}

/// Set in [`DIGITS`] for what is no digit, and for a letter that is upper case.
const NO_DIGIT: u8 = 0x80;
const UPPER: u8 = 0x10;

/// The value of each byte as a hexadecimal digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        if value > 9 {
            digits[digit.to_ascii_uppercase() as usize] = value | UPPER;
        }
        digits[digit as usize] = value;
        value += 1;
    }
    digits
};

/// The value of a hexadecimal digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    let value = DIGITS[usize::from(byte)];
    (value & NO_DIGIT == 0).then_some(value & 0x0f)
}

impl Hex32 {
    pub(super) fn parse(digits: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = digits.try_into().ok()?;
        let mut bytes = [0; 16];
        let mut seen = 0;
        for (pair, byte) in digits.chunks_exact(2).zip(&mut bytes) {
            let [high, low] = [0, 1].map(|at| DIGITS[usize::from(pair[at])]);
            seen |= high | low;
            *byte = high << 4 | low & 0x0f;
        }
        if seen & NO_DIGIT != 0 {
            return None;
        }
        let mut upper = [0; 4];
        if seen & UPPER != 0 {
            for (index, digit) in digits.iter().enumerate() {
                if digit.is_ascii_uppercase() {
                    upper[index / 8] |= 0x80 >> (index % 8);
                }
            }
        }
        Some(Self { bytes, upper })
    }

    /// The 16 bytes, and four more if any letter is upper case: in the order of
    /// `Ord`.
    pub(super) fn pack(&self, out: &mut Vec<u8>) {
        out.extend(self.bytes);
        if self.upper != [0; 4] {
            out.extend(self.upper);
        }
    }

    #[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled"))]
    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        let (bytes, upper) = packed.split_first_chunk()?;
        let upper = if upper.is_empty() { [0; 4] } else { upper.try_into().ok()? };
        Some(Self { bytes: *bytes, upper })
    }

    pub(super) fn write(&self, out: &mut [u8]) {
        for (index, slot) in out.iter_mut().enumerate().take(32) {
            let byte = self.bytes[index / 2];
            let value = if index % 2 == 0 { byte >> 4 } else { byte & 0x0f };
            let digit = b"0123456789abcdef"[usize::from(value)];
            *slot = if self.upper[index / 8] & (0x80 >> (index % 8)) == 0 {
                digit
            } else {
                digit.to_ascii_uppercase()
            };
        }
    }
}

#[cfg(all(test, any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled")))]
mod tests {
    use super::*;

    #[test]
    fn packed_digits_come_back_as_they_were_and_keep_their_order() {
        let texts = [
            "00000000000000000000000000000000",
            "0123456789abcdef0123456789abcdeF",
            "0123456789ABCDEF0123456789abcdef",
            "ffffffffffffffffffffffffffffffff",
        ];
        let digits = texts.map(|text| Hex32::parse(text.as_bytes()).unwrap());
        let packed = digits.map(|digits| {
            let mut out = Vec::new();
            digits.pack(&mut out);
            out
        });
        assert_eq!(packed.each_ref().map(Vec::len), [16, 20, 20, 16]);
        assert_eq!(packed.each_ref().map(|packed| Hex32::unpack(packed).unwrap()), digits);
        assert!(packed.is_sorted() && digits.is_sorted());
        assert_eq!(Hex32::unpack(&packed[1][..18]), None);
    }
}
