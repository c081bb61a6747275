//! SQL: a behavior's own tables, in the room's own database.

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, IntoDeserializer, Visitor,
        value::{MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::context::Context;
use crate::storage::{SqlError, SqlRows, SqlValue};

/// What is bound to a statement's `?`s: a tuple of up to eight values, or a slice of [`SqlValue`]s.
pub trait Bindings {
    fn into_values(self) -> Vec<SqlValue>;
}

impl Bindings for () {
    fn into_values(self) -> Vec<SqlValue> {
        Vec::new()
    }
}

impl Bindings for &[SqlValue] {
    fn into_values(self) -> Vec<SqlValue> {
        self.to_vec()
    }
}

macro_rules! tuples {
    ($(($($letter:ident),+)),+) => {$(
        impl<$($letter: Into<SqlValue>),+> Bindings for ($($letter,)+) {
            #[expect(non_snake_case, reason = "the letters of the types name their values")]
            fn into_values(self) -> Vec<SqlValue> {
                let ($($letter,)+) = self;
                vec![$($letter.into()),+]
            }
        }
    )+};
}

tuples!((A), (A, B), (A, B, C), (A, B, C, D), (A, B, C, D, E), (A, B, C, D, E, F));
tuples!((A, B, C, D, E, F, G), (A, B, C, D, E, F, G, H));

macro_rules! from {
    ($($type:ty => |$value:ident| $made:expr),+ $(,)?) => {$(
        impl From<$type> for SqlValue {
            fn from($value: $type) -> SqlValue {
                $made
            }
        }
    )+};
}

from! {
    i64 => |value| SqlValue::Integer(value),
    i32 => |value| SqlValue::Integer(value.into()),
    u32 => |value| SqlValue::Integer(value.into()),
    u8 => |value| SqlValue::Integer(value.into()),
    // More than is exact is refused as a whole.
    u64 => |value| SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
    bool => |value| SqlValue::Integer(value.into()),
    f64 => |value| SqlValue::Real(value),
    &str => |value| SqlValue::Text(value.to_owned()),
    String => |value| SqlValue::Text(value),
    &String => |value| SqlValue::Text(value.clone()),
    Vec<u8> => |value| SqlValue::Blob(value),
    &schemas::UserId => |value| SqlValue::Text(value.as_str().to_owned()),
    schemas::Offset => |value| value.value().into(),
}

impl<T: Into<SqlValue>> From<Option<T>> for SqlValue {
    fn from(value: Option<T>) -> SqlValue {
        value.map_or(SqlValue::Null, Into::into)
    }
}

/// The tables that the behavior's migrations made.
#[derive(Debug)]
pub struct Sql<'c, 'r> {
    ctx: &'c mut Context<'r>,
}

impl<'r> Context<'r> {
    /// The behavior's own tables. Needs migrations; without any, each statement is refused.
    pub fn sql(&mut self) -> Sql<'_, 'r> {
        Sql { ctx: self }
    }
}

impl Sql<'_, '_> {
    /// Runs a statement, and returns how many rows it wrote, those of indexes among them.
    ///
    /// # Errors
    /// What SQLite says to it.
    pub fn execute(&mut self, query: &str, bindings: impl Bindings) -> Result<u64, SqlError> {
        self.run(query, &bindings.into_values()).map(|rows| rows.written)
    }

    /// Each row as a type with a field a column.
    ///
    /// # Errors
    /// What SQLite says to it, or which column does not fit the type.
    pub fn query<T: DeserializeOwned>(
        &mut self,
        query: &str,
        bindings: impl Bindings,
    ) -> Result<Vec<T>, SqlError> {
        let SqlRows { columns, rows, .. } = self.run(query, &bindings.into_values())?;
        let typed = |row: Vec<SqlValue>| {
            let fields = columns.iter().map(String::as_str).zip(row);
            serde_path_to_error::deserialize(MapDeserializer::new(fields)).map_err(|error| misfit(&error))
        };
        rows.into_iter().map(typed).collect()
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// As [`Sql::query`].
    pub fn first<T: DeserializeOwned>(
        &mut self,
        query: &str,
        bindings: impl Bindings,
    ) -> Result<Option<T>, SqlError> {
        Ok(self.query(query, bindings)?.into_iter().next())
    }

    fn run(&mut self, query: &str, bindings: &[SqlValue]) -> Result<SqlRows, SqlError> {
        if !self.ctx.has_sql {
            return Err(SqlError("the behavior has no MIGRATIONS, and so no tables".to_owned()));
        }
        let is_exact =
            |value: &SqlValue| !matches!(value, SqlValue::Integer(value) if value.unsigned_abs() > EXACT_MAX);
        if let Some(place) = bindings.iter().position(|value| !is_exact(value)) {
            return Err(SqlError(format!("binding {}: whole numbers are exact up to 2^53 alone", place + 1)));
        }
        self.ctx.deciding.storage.sql(query, bindings)
    }
}

/// Names the column, and nothing of what it holds.
fn misfit(error: &serde_path_to_error::Error<Refused>) -> SqlError {
    let (path, said) = (error.path().to_string(), error.inner().to_string());
    SqlError(match said.strip_prefix("missing field ") {
        Some(field) => format!("no column is called {field}"),
        None if path == "." => "a row does not fit its type".to_owned(),
        None => format!("column {path} does not fit its type"),
    })
}

/// The platform's numbers are JavaScript's.
const EXACT_MAX: u64 = 1 << 53;

type Refused = serde::de::value::Error;

impl IntoDeserializer<'_, Refused> for SqlValue {
    type Deserializer = SqlValue;

    fn into_deserializer(self) -> SqlValue {
        self
    }
}

impl<'de> Deserializer<'de> for SqlValue {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self {
            SqlValue::Null => visitor.visit_unit(),
            SqlValue::Integer(value) => visitor.visit_i64(value),
            SqlValue::Real(value) => visitor.visit_f64(value),
            SqlValue::Text(value) => visitor.visit_string(value),
            SqlValue::Blob(value) => visitor.visit_byte_buf(value),
        }
    }

    /// A blob as the bytes that it is.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let SqlValue::Blob(bytes) = self else { return self.deserialize_any(visitor) };
        let mut bytes = SeqDeserializer::new(bytes.into_iter());
        let value = visitor.visit_seq(&mut bytes)?;
        bytes.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_seq(visitor)
    }

    /// SQLite knows no truth but 0 and 1.
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self {
            SqlValue::Integer(value) => visitor.visit_bool(value != 0),
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self {
            SqlValue::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    /// A variant by its name.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        match self {
            SqlValue::Text(value) => value.into_deserializer().deserialize_enum(name, variants, visitor),
            other => other.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple_struct
        map struct identifier ignored_any
    }
}
