//! Lenient reading: number or string, empty as none, wrong types noted, unknown fields collected.
//!
//! An [`Object`] is a place in a body. Asking it for a field by name and type gives the value, or `None` and a finding
//! where something else stands there; `null` and an absent field are `None` without one. A field that was never asked
//! for is unknown. Findings and unknown fields of the whole body gather in its [`Notes`].

mod json;
mod notes;
mod scalars;
mod tree;

use std::cell::RefCell;

use crate::domain::finding::Code;
use crate::domain::values::Json;

pub use json::Rebuilt;
pub use notes::Notes;
pub use tree::{Fields, Value};

/// An object of a body, or the empty one where there is none.
#[derive(Debug)]
pub struct Object<'a> {
    notes: &'a Notes,
    fields: Option<&'a Fields<'a>>,
    /// Where it stands, as `appointments[3]`; empty for the root.
    path: String,
    contents: Contents,
    /// The fields asked for, which are those that are known.
    asked: RefCell<Vec<&'static str>>,
}

/// What is noted about the contents of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// Everything.
    Documented,
    /// U+0000 was noted already, for the whole that this is part of.
    Kept,
    /// As [`Contents::Kept`], and any field may be there.
    FreeForm,
}

impl<'a> Object<'a> {
    /// The whole body; it reads as empty where it is not an object.
    #[must_use]
    pub fn root(body: &'a Value<'a>, notes: &'a Notes) -> Self {
        if !body.is_object() {
            notes.add_whole(Code::FieldType, "expected an object; the body was read as empty");
        }
        Self::at(String::new(), body.as_object(), notes, Contents::Documented)
    }

    /// The whole body, for a look at some of its fields: what else is there is not noted.
    #[must_use]
    pub fn glance(body: &'a Value<'a>, notes: &'a Notes) -> Self {
        Self::at(String::new(), body.as_object(), notes, Contents::FreeForm)
    }

    fn at(path: String, fields: Option<&'a Fields<'a>>, notes: &'a Notes, contents: Contents) -> Self {
        Self { notes, fields, path, contents, asked: RefCell::default() }
    }

    /// Where this object stands, as the beginning of its fields' paths: empty for the root, else with its dot.
    #[must_use]
    pub fn place(&self) -> String {
        self.path_of("")
    }

    /// Where a field of this object stands.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a finding about a field.
    pub fn note(&self, code: Code, name: &str, message: &str) {
        self.notes.add(code, self.path_of(name), message);
    }

    /// The field's value, where one was sent; the field counts as known from now on.
    fn get(&self, name: &'static str) -> Option<&'a Value<'a>> {
        self.asked.borrow_mut().push(name);
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    fn wrong_type(&self, name: &str, expected: &str) {
        self.note(Code::FieldType, name, &format!("expected {expected}; read as absent"));
    }

    /// Of two names of one field, the one that was sent.
    #[must_use]
    pub fn either(&self, first: &'static str, second: &'static str) -> &'static str {
        let (in_first, in_second) = (self.get(first), self.get(second));
        if in_first.is_none() && in_second.is_some() { second } else { first }
    }

    /// Marks fields as known that are not read.
    pub fn pass_over(&self, names: &[&'static str]) {
        self.asked.borrow_mut().extend(names);
    }

    /// The object in a field; the empty one where there is none.
    #[must_use]
    pub fn object(&self, name: &'static str) -> Object<'a> {
        let fields = self.object_in(name);
        Object::at(self.path_of(name), fields, self.notes, self.contents)
    }

    /// The objects of a list, in order; what is not an object is noted and left out.
    #[must_use]
    pub fn array(&self, name: &'static str) -> Option<impl Iterator<Item = Object<'a>> + use<'a>> {
        self.array_in(name).map(|items| self.objects_of(name, items, self.contents))
    }

    /// An object that is kept whole, and the object itself for reading fields of it.
    #[must_use]
    pub fn whole_object(&self, name: &'static str) -> (Option<Json>, Object<'a>) {
        let fields = self.object_in(name);
        let json = fields.and_then(|fields| self.kept(name, json::of_fields(fields)));
        (json, Object::at(self.path_of(name), fields, self.notes, self.kept_contents()))
    }

    /// A list that is kept whole, and its objects for reading fields of them.
    pub fn whole_array(&self, name: &'static str) -> (Option<Json>, impl Iterator<Item = Object<'a>> + use<'a>) {
        let items = self.array_in(name);
        let json = items.and_then(|items| self.kept(name, json::of_items(items)));
        (json, self.objects_of(name, items.unwrap_or_default(), self.kept_contents()))
    }

    /// The entries of a list, whatever they are; none where there is no list.
    #[must_use]
    pub fn items(&self, name: &'static str) -> &'a [Value<'a>] {
        self.get(name).and_then(Value::as_array).unwrap_or_default()
    }

    /// Whether an object was sent in a field.
    #[must_use]
    pub fn is_object(&self, name: &'static str) -> bool {
        self.get(name).is_some_and(Value::is_object)
    }

    /// Whether each field of this object holds a text.
    #[must_use]
    pub fn holds_only_texts(&self) -> bool {
        self.fields.is_none_or(|fields| fields.values().all(Value::is_string))
    }

    /// How many bytes an object or a list has when it is written as JSON without spaces; nought for anything else.
    #[must_use]
    pub fn json_bytes(&self, name: &'static str) -> usize {
        let value = self.get(name).filter(|value| value.is_object() || value.is_array());
        value.map_or(0, json::bytes)
    }

    /// An object or a list of any content, kept whole.
    #[must_use]
    pub fn free_form(&self, name: &'static str) -> Option<Json> {
        match self.get(name)? {
            Value::Object(fields) => self.kept(name, json::of_fields(fields)),
            Value::Array(items) => self.kept(name, json::of_items(items)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Null => {
                self.wrong_type(name, "an object or a list");
                None
            }
        }
    }

    /// An object of any content, for reading some fields of it; [`Object::split`] keeps it.
    #[must_use]
    pub fn free_form_object(&self, name: &'static str) -> Object<'a> {
        Object::at(self.path_of(name), self.object_in(name), self.notes, Contents::FreeForm)
    }

    /// This object kept in two halves: without the fields that `is_apart` names, and those fields
    /// alone, if any of them says something.
    #[must_use]
    pub fn split(&self, is_apart: impl Fn(&str) -> bool) -> (Option<Json>, Option<Json>) {
        let Some(fields) = self.fields else { return (None, None) };
        let Some((rest, apart)) = json::in_halves(fields, is_apart) else {
            self.notes.add(Code::FieldType, self.path.clone(), &too_many());
            return (None, None);
        };
        if rest.had_nul {
            self.notes.add(Code::NulRemoved, self.path.clone(), NUL_REMOVED);
        }
        (Some(rest.json), apart)
    }

    fn object_in(&self, name: &'static str) -> Option<&'a Fields<'a>> {
        let value = self.get(name)?;
        let fields = value.as_object();
        if fields.is_none() {
            self.wrong_type(name, "an object");
        }
        fields
    }

    fn array_in(&self, name: &'static str) -> Option<&'a [Value<'a>]> {
        let value = self.get(name)?;
        let items = value.as_array();
        if items.is_none() {
            self.wrong_type(name, "a list");
        }
        items
    }

    fn objects_of(
        &self,
        name: &'static str,
        items: &'a [Value<'a>],
        contents: Contents,
    ) -> impl Iterator<Item = Object<'a>> + use<'a> {
        let (path, notes) = (self.path_of(name), self.notes);
        items.iter().enumerate().filter_map(move |(position, item)| {
            let path = format!("{path}[{position}]");
            if item.is_object() {
                return Some(Object::at(path, item.as_object(), notes, contents));
            }
            if !item.is_null() {
                notes.add(Code::FieldType, path, "expected an object; left out");
            }
            None
        })
    }

    fn kept(&self, name: &str, cleaned: Option<json::Cleaned>) -> Option<Json> {
        let Some(cleaned) = cleaned else {
            self.note(Code::FieldType, name, &too_many());
            return None;
        };
        if cleaned.had_nul && self.contents == Contents::Documented {
            self.note(Code::NulRemoved, name, NUL_REMOVED);
        }
        Some(cleaned.json)
    }

    fn kept_contents(&self) -> Contents {
        match self.contents {
            Contents::Documented | Contents::Kept => Contents::Kept,
            Contents::FreeForm => Contents::FreeForm,
        }
    }
}

/// Why something is not kept whole.
fn too_many() -> String {
    format!("more than {} JSON values; not kept beside the body", json::MOST)
}

const NUL_REMOVED: &str = "the character U+0000 was removed";

impl Drop for Object<'_> {
    /// Notes the fields that nobody asked for.
    fn drop(&mut self) {
        if self.contents == Contents::FreeForm {
            return;
        }
        let asked = self.asked.borrow();
        for name in self.fields.into_iter().flat_map(Fields::names) {
            if !asked.contains(&name) {
                self.notes.add_unknown(&self.path, name);
            }
        }
    }
}

#[cfg(test)]
mod tests;
