//! `confirm_layer`: around a route, a router, or any Tower service.

mod answers;
mod ids;
mod places;
mod sources;
mod untouched;
