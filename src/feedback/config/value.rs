//! How the values of a configuration are read. Each knows where it stands, so that an
//! error can name it; that of a secret never repeats it, as serde's own would.

use std::{collections::BTreeMap, fmt, marker::PhantomData, time::Duration};

use secrecy::SecretString;
use serde_core::de::{
    DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::path::Path;
use crate::{
    AccountSid, BaseUrl, Mode,
    store::{Resends, StoreUrl},
};

pub(super) trait Value: Sized + fmt::Debug {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error>;

    /// What `Debug` of a table shows of it.
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Shows no more than a value may be seen of.
pub(super) struct Shown<'a, T>(pub(super) &'a T);

impl<T: Value> fmt::Debug for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f)
    }
}

/// Reads a `T` that stands at a path.
pub(super) struct At<'a, T>(&'a Path<'a>, PhantomData<T>);

impl<'a, T> At<'a, T> {
    pub(super) const fn new(path: &'a Path<'a>) -> Self {
        Self(path, PhantomData)
    }
}

impl<'de, T: Value> DeserializeSeed<'de> for At<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(self.0, from)
    }
}

/// What is null is as if it were not there.
impl<T: Value> Value for Option<T> {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        from.deserialize_option(At::<Self>::new(at))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_ref().map(Shown), f)
    }
}

impl<'de, T: Value> Visitor<'de> for At<'_, Option<T>> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        T::read(self.0, from).map(Some)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(At::<Self>::new(at))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Shown)).finish()
    }
}

impl<'de, T: Value> Visitor<'de> for At<'_, Vec<T>> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be a list", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(At::new(&self.0.index(items.len())))? {
            items.push(item);
        }
        Ok(items)
    }
}

impl<T: Value> Value for BTreeMap<String, T> {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        from.deserialize_map(At::<Self>::new(at))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(key, of)| (Shown(key), Shown(of)))).finish()
    }
}

impl<'de, T: Value> Visitor<'de> for At<'_, BTreeMap<String, T>> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be a table", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut items = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(At::new(&self.0.field(&key)))?;
            items.insert(key, value);
        }
        Ok(items)
    }
}

/// A value that a text stands for.
trait Text: Sized {
    const EXPECTED: &'static str;
    /// What else than a text may stand for it.
    const OR: Or = Or::Nothing;

    fn parse(text: &str) -> Option<Self>;
}

#[derive(PartialEq)]
enum Or {
    Nothing,
    Bool,
    Number,
}

macro_rules! from_text {
    ($($type:ty: $expected:literal $(or $or:ident)?, |$text:ident| $parse:expr;)*) => {$(
        impl Text for $type {
            const EXPECTED: &'static str = $expected;
            $(const OR: Or = Or::$or;)?

            fn parse($text: &str) -> Option<Self> {
                $parse
            }
        }

        impl Value for $type {
            fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
                from.deserialize_any(FromText::<Self>(at, PhantomData))
            }
        }
    )*};
}

impl Text for String {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

/// Any text may be a secret: one that stands where another belongs, a password in a URL.
/// Shown is what is known to be none: an account, and where a URL leads.
impl Value for String {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FromText::<Self>(at, PhantomData))
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parse::<AccountSid>().is_ok() {
            return fmt::Debug::fmt(self, f);
        }
        match self.parse::<BaseUrl>() {
            Ok(url) => fmt::Debug::fmt(url.origin(), f),
            Err(_) => f.write_str("…"),
        }
    }
}

from_text! {
    // As environment variables have them, too.
    bool: "true or false" or Bool, |text| text.parse().ok();
    usize: "a number that is not negative" or Number, |text| text.parse().ok();
    u32: "a number that is not negative" or Number, |text| text.parse().ok();
    Duration: "a duration such as \"72h\", \"1m 30s\" or \"250ms\"", |text| {
        text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
    };
    Mode: "\"on\", \"observe\" or \"off\"", |text| Some(match text {
        "on" => Mode::On,
        "observe" => Mode::Observe,
        "off" => Mode::Off,
        _ => return None,
    });
    Resends: "\"newest\" or \"all\"", |text| Some(match text {
        "newest" => Resends::Newest,
        "all" => Resends::All,
        _ => return None,
    });
}

struct FromText<'a, T>(&'a Path<'a>, PhantomData<T>);

impl<T: Text> Visitor<'_> for FromText<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be {}", self.0, T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        let parsed = if T::OR == Or::Bool { T::parse(&value.to_string()) } else { None };
        parsed.ok_or_else(|| E::invalid_type(Unexpected::Bool(value), &self))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        let parsed = if T::OR == Or::Number { T::parse(&value.to_string()) } else { None };
        parsed.ok_or_else(|| E::invalid_type(Unexpected::Unsigned(value), &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }
}

impl Value for SecretString {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Secret(at))
    }
}

/// Its URL may hold a password.
impl Value for StoreUrl {
    fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
        let url = from.deserialize_any(Secret(at))?;
        let url = secrecy::ExposeSecret::expose_secret(&url);
        url.parse().map_err(|error| D::Error::custom(format_args!("`{at}`: {error}")))
    }
}

struct Secret<'a>(&'a Path<'a>);

impl Secret<'_> {
    fn refused<E: Error>(&self) -> E {
        E::custom(format_args!("`{}` is not a text", self.0))
    }
}

macro_rules! refuse {
    ($($visit:ident: $type:ty,)*) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<SecretString, E> {
            Err(self.refused())
        }
    )*};
}

impl<'de> Visitor<'de> for Secret<'_> {
    type Value = SecretString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` to be a text", self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SecretString, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<SecretString, E> {
        Ok(text.into())
    }

    refuse! {
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_bytes: &[u8],
    }
}
