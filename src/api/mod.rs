//! The first-party JSON API.
