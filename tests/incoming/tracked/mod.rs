//! `Tracked<E>`: the handler decides.

mod codes;
mod extractors;
mod rejections;
mod sessions;
