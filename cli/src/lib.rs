//! The command line of Roomcast, as a library: what `roomcast` does, without reading arguments or printing.
//!
//! [`new`] decides what a new project is made of and writes it: the files of [`template`] with the project's
//! [`name::Name`] in place of the template's, depending on the crates of a [`source::Source`].

pub mod name;
pub mod new;
pub mod source;
pub mod template;
