//! The repository: its structure, its documents, its examples.

mod architecture;
mod circles;
mod documents;
mod examples;
mod hints;
