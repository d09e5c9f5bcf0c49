/// A struct of optional settings that reads itself by name.
macro_rules! table {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[$docs:meta])* pub $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$docs])* pub $field: Option<$type>,)*
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($field), &Shown(&self.$field)))*
                    .finish()
            }
        }

        impl Value for $name {
            fn read<'de, D: Deserializer<'de>>(at: &Path<'_>, from: D) -> Result<Self, D::Error> {
                struct Table<'a>(&'a Path<'a>);

                impl<'de> Visitor<'de> for Table<'_> {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        match self.0.to_string() {
                            at if at.is_empty() => f.write_str("a table"),
                            at => write!(f, "`{at}` to be a table"),
                        }
                    }

                    fn visit_map<A: MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut table = $name::default();
                        while let Some(name) = map.next_key::<String>()? {
                            match name.as_str() {
                                $(stringify!($field) => {
                                    let at = self.0.field(stringify!($field));
                                    table.$field = map.next_value_seed(At::new(&at))?;
                                })*
                                _ => {
                                    let known = [$(stringify!($field)),*].join(", ");
                                    return Err(A::Error::custom(format_args!(
                                        "there is no setting `{}`: expected one of {known}",
                                        self.0.field(&name),
                                    )));
                                }
                            }
                        }
                        Ok(table)
                    }
                }

                from.deserialize_map(Table(at))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::read(&Path::ROOT, from)
            }
        }
    };
}

pub(super) use table;
