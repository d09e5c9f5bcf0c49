use std::fmt;

/// The channel that a message goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Channel {
    /// A text message.
    Sms,
    /// A message with media.
    Mms,
    /// WhatsApp: an address that begins with `whatsapp:`.
    WhatsApp,
    /// RCS: an address that begins with `rcs:`.
    Rcs,
    /// Facebook Messenger: an address that begins with `messenger:`.
    Messenger,
}

impl Channel {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sms, Self::Mms, Self::WhatsApp, Self::Rcs, Self::Messenger];

    /// The channel of a message to `address`, Twilio's `To`, with media or without;
    /// `None` for an address of a kind that is not known.
    #[must_use]
    pub fn of(address: &str, has_media: bool) -> Option<Self> {
        match address.split_once(':') {
            None if has_media => Some(Self::Mms),
            None => Some(Self::Sms),
            Some(("whatsapp", _)) => Some(Self::WhatsApp),
            Some(("rcs", _)) => Some(Self::Rcs),
            Some(("messenger", _)) => Some(Self::Messenger),
            Some(_) => None,
        }
    }

    /// Its name in reports and metrics: `"sms"`, `"mms"`, `"whatsapp"`, `"rcs"` or
    /// `"messenger"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mms => "mms",
            Self::WhatsApp => "whatsapp",
            Self::Rcs => "rcs",
            Self::Messenger => "messenger",
        }
    }

    /// The channel of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_says_the_channel() {
        let of = |address| Channel::of(address, false);
        assert_eq!(of("+15005550006"), Some(Channel::Sms));
        assert_eq!(Channel::of("+15005550006", true), Some(Channel::Mms));
        assert_eq!(of("whatsapp:+15005550006"), Some(Channel::WhatsApp));
        assert_eq!(Channel::of("rcs:+15005550006", true), Some(Channel::Rcs));
        assert_eq!(of("messenger:107"), Some(Channel::Messenger));
        assert_eq!(of("carrier-pigeon:107"), None);
        for channel in Channel::ALL {
            assert_eq!(Channel::from_name(channel.as_str()), Some(channel));
        }
    }
}
