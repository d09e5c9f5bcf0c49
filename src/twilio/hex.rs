/// 32 hexadecimal digits, kept with the letter case they were written in.
///
/// Twilio declares `[0-9a-fA-F]{32}`; a SID must go back to it as it came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hex32 {
    bytes: [u8; 16],
    /// One bit a digit, most significant first: the letter was upper case.
    upper: [u8; 4],
}

impl Hex32 {
    pub(super) fn parse(digits: &[u8]) -> Option<Self> {
        let digits: &[u8; 32] = digits.try_into().ok()?;
        let mut bytes = [0; 16];
        let mut upper = [0; 4];
        for (index, &digit) in digits.iter().enumerate() {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                b'A'..=b'F' => {
                    upper[index / 8] |= 0x80 >> (index % 8);
                    digit - b'A' + 10
                }
                _ => return None,
            };
            bytes[index / 2] |= if index % 2 == 0 { value << 4 } else { value };
        }
        Some(Self { bytes, upper })
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
