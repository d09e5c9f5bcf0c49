use std::{error::Error, fmt, str::FromStr};

use super::hex::Hex32;

/// The SID of a Twilio account or subaccount: `AC` and 32 hexadecimal digits.
///
/// ```
/// use tower_message_feedback::AccountSid;
///
/// let account: AccountSid = "AC0123456789abcdef0123456789abcdef".parse()?;
/// assert_eq!(account.to_string(), "AC0123456789abcdef0123456789abcdef");
/// assert!("SK0123456789abcdef0123456789abcdef".parse::<AccountSid>().is_err());
/// # Ok::<(), tower_message_feedback::InvalidSid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountSid(Hex32);

/// The SID of a message: `SM` or `MM` and 32 hexadecimal digits.
///
/// No other prefix is accepted, so the SID of a call, a conversation message or
/// a verification can never reach a feedback call. The letter case is kept.
///
/// ```
/// use tower_message_feedback::MessageSid;
///
/// let sid: MessageSid = "SM0123456789abcdef0123456789ABCDEF".parse()?;
/// assert_eq!(sid.to_string(), "SM0123456789abcdef0123456789ABCDEF");
/// assert!("CA0123456789abcdef0123456789abcdef".parse::<MessageSid>().is_err());
/// # Ok::<(), tower_message_feedback::InvalidSid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageSid {
    prefix: MessagePrefix,
    hex: Hex32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum MessagePrefix {
    Sm,
    Mm,
}

/// What the SID of a message consists of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageSidParts {
    pub(crate) digits: [u8; 16],
    /// Which letters among the digits are upper case: none, as Twilio writes it.
    pub(crate) upper: [u8; 4],
    pub(crate) is_mms: bool,
}

/// The SID of a Messaging Service: `MG` and 32 hexadecimal digits.
///
/// ```
/// use tower_message_feedback::MessagingServiceSid;
///
/// let service: MessagingServiceSid = "MG0123456789abcdef0123456789abcdef".parse()?;
/// assert!("AC0123456789abcdef0123456789abcdef".parse::<MessagingServiceSid>().is_err());
/// # Ok::<(), tower_message_feedback::InvalidSid>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessagingServiceSid(Hex32);

impl MessagingServiceSid {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        text.strip_prefix(b"MG").and_then(Hex32::parse).map(Self)
    }

    fn to_ascii(self) -> [u8; 34] {
        sid_ascii(*b"MG", &self.0)
    }
}

impl AccountSid {
    /// Characters.
    pub(crate) const LEN: usize = 34;

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        text.strip_prefix(b"AC").and_then(Hex32::parse).map(Self)
    }

    fn to_ascii(self) -> [u8; 34] {
        sid_ascii(*b"AC", &self.0)
    }

    /// The SID as stores keep it: 16 bytes, or 20 if a letter is upper case.
    pub(crate) fn pack(self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(20);
        self.0.pack(&mut packed);
        packed
    }

    #[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled"))]
    pub(crate) fn unpack(packed: &[u8]) -> Option<Self> {
        Hex32::unpack(packed).map(Self)
    }
}

impl MessageSid {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (prefix, digits) = text.split_at_checked(2)?;
        let prefix = match prefix {
            b"SM" => MessagePrefix::Sm,
            b"MM" => MessagePrefix::Mm,
            _ => return None,
        };
        Some(Self { prefix, hex: Hex32::parse(digits)? })
    }

    pub(crate) fn to_ascii(self) -> [u8; 34] {
        let prefix = match self.prefix {
            MessagePrefix::Sm => *b"SM",
            MessagePrefix::Mm => *b"MM",
        };
        sid_ascii(prefix, &self.hex)
    }

    pub(crate) fn to_parts(self) -> MessageSidParts {
        let is_mms = self.prefix == MessagePrefix::Mm;
        MessageSidParts { digits: self.hex.bytes, upper: self.hex.upper, is_mms }
    }

    pub(crate) fn from_parts(parts: MessageSidParts) -> Self {
        let prefix = if parts.is_mms { MessagePrefix::Mm } else { MessagePrefix::Sm };
        Self { prefix, hex: Hex32 { bytes: parts.digits, upper: parts.upper } }
    }

    /// The SID as stores keep it: 17 bytes, or 21 if a letter is upper case. The
    /// bytes have the order of the SIDs.
    #[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled"))]
    pub(crate) fn pack(self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(21);
        packed.push(self.prefix as u8);
        self.hex.pack(&mut packed);
        packed
    }

    #[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite-unbundled"))]
    pub(crate) fn unpack(packed: &[u8]) -> Option<Self> {
        let (prefix, hex) = packed.split_first()?;
        let prefix = match prefix {
            0 => MessagePrefix::Sm,
            1 => MessagePrefix::Mm,
            _ => return None,
        };
        Some(Self { prefix, hex: Hex32::unpack(hex)? })
    }
}

fn sid_ascii(prefix: [u8; 2], hex: &Hex32) -> [u8; 34] {
    let mut out = [0; 34];
    out[..2].copy_from_slice(&prefix);
    hex.write(&mut out[2..]);
    out
}

macro_rules! text_traits {
    ($name:ident, $expected:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let ascii = self.to_ascii();
                f.pad(std::str::from_utf8(&ascii).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidSid;

            fn from_str(text: &str) -> Result<Self, InvalidSid> {
                Self::parse(text.as_bytes()).ok_or(InvalidSid { expected: $expected })
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidSid;

            fn try_from(text: &str) -> Result<Self, InvalidSid> {
                text.parse()
            }
        }
    };
}

text_traits!(AccountSid, "AC and 32 hexadecimal digits");
text_traits!(MessageSid, "SM or MM and 32 hexadecimal digits");
text_traits!(MessagingServiceSid, "MG and 32 hexadecimal digits");

/// A text that is not the SID it should be. The text itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSid {
    expected: &'static str,
}

impl fmt::Display for InvalidSid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a SID: expected {}", self.expected)
    }
}

impl Error for InvalidSid {}
