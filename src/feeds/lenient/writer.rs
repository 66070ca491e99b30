//! The text of a value that is kept, while it is read.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Number;

use super::number::settled;
use super::scalar::is_blank;

/// How many values are kept of one field at the most. What is loaded again from its row becomes `serde_json`'s values, of
/// which one can take 656 bytes.
pub(super) const MOST: usize = 10_000;

/// Whether an object or a list is kept; nothing else is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    List,
}

/// The text that is written, and what is known of it.
pub(super) struct Writer {
    text: String,
    /// The fields of the objects that are being written, the outermost first.
    fields: Vec<Field>,
    /// Where an object is put in order.
    scratch: String,
    depth: usize,
    values: usize,
    had_nul: bool,
    /// How much shorter the text is than it was sent.
    taken_out: isize,
    /// Whether a comma belongs before whatever comes next.
    needs_comma: bool,
    shape: Option<Shape>,
    holds_only_texts: bool,
    is_apart: Option<fn(&str) -> bool>,
    last: Last,
}

/// What the value was that was written last.
#[derive(Clone, Copy)]
pub(super) enum Last {
    Null,
    BlankText,
    Text,
    Other,
}

/// A field of an object, as it stands in the text.
struct Field {
    /// Where it begins and where its name ends, quotes included, and where it ends.
    begin: usize,
    name_end: usize,
    end: usize,
    /// The name as it was sent, where it is written otherwise.
    name: Option<Box<str>>,
    /// Whether it is kept apart: by its name, or by that of a field in it.
    is_apart: bool,
    /// Whether it is anything but null or an empty text.
    is_filled: bool,
}

impl Writer {
    pub(super) fn new(is_apart: Option<fn(&str) -> bool>) -> Self {
        Self {
            text: String::new(),
            fields: Vec::new(),
            scratch: String::new(),
            depth: 0,
            values: 0,
            had_nul: false,
            taken_out: 0,
            needs_comma: false,
            shape: None,
            holds_only_texts: true,
            is_apart,
            last: Last::Other,
        }
    }

    pub(super) fn shape(&self) -> Option<Shape> {
        self.shape
    }

    pub(super) fn values(&self) -> usize {
        self.values
    }

    pub(super) fn had_nul(&self) -> bool {
        self.had_nul
    }

    /// How long the text would be with what was taken out of it.
    pub(super) fn bytes(&self) -> usize {
        self.text.len().saturating_add_signed(self.taken_out)
    }

    pub(super) fn holds_only_texts(&self) -> bool {
        self.holds_only_texts
    }

    /// The text, and, where fields are kept apart, the text of those, if any is filled.
    pub(super) fn into_halves(self) -> (String, Option<String>) {
        if self.is_apart.is_none() || self.shape != Some(Shape::Object) {
            return (self.fitting_text(), None);
        }
        let half = |of_apart: bool| {
            let mut half = String::from("{");
            for field in self.fields.iter().filter(|field| field.is_apart == of_apart) {
                separate(&mut half, "{");
                half.push_str(slice(&self.text, field.begin, field.end));
            }
            half.push('}');
            half
        };
        if !self.fields.iter().any(|field| field.is_apart) {
            return (self.fitting_text(), None);
        }
        let is_filled = self.fields.iter().any(|field| field.is_apart && field.is_filled);
        (half(false), is_filled.then(|| half(true)))
    }

    /// The text, in not much more memory than it needs.
    fn fitting_text(mut self) -> String {
        if self.text.capacity() > self.text.len() + 128 {
            self.text.shrink_to_fit();
        }
        self.text
    }

    fn begin_value(&mut self, last: Last) {
        if self.text.capacity() == 0 && self.shape.is_some() {
            self.text.reserve(128);
        }
        self.separate();
        self.needs_comma = true;
        self.values += 1;
        self.last = last;
        if self.depth == 1 {
            self.holds_only_texts &= matches!(last, Last::Text | Last::BlankText);
        }
    }

    /// Writes the comma that belongs before a field or an entry. Of what has too many values to be kept only the length
    /// is of interest, and nothing is gathered any more.
    fn separate(&mut self) {
        if self.needs_comma {
            self.text.push(',');
        }
        if self.is_too_much() {
            self.taken_out += self.text.len().cast_signed();
            self.text.clear();
            self.fields.clear();
        }
    }

    fn is_too_much(&self) -> bool {
        self.values > MOST + 1
    }

    pub(super) fn write_literal(&mut self, text: &str, last: Last) {
        self.begin_value(last);
        // What is neither an object nor a list is not kept.
        if self.depth > 0 {
            self.text.push_str(text);
        }
    }

    pub(super) fn write_number(&mut self, number: Number) {
        self.begin_value(Last::Other);
        if self.depth == 0 {
            return;
        }
        let begin = self.text.len();
        if !number.is_f64() {
            // Writing to a text cannot fail.
            let _ = write!(self.text, "{number}");
            return;
        }
        let _ = write!(self.text, "{number}");
        let text = slice(&self.text, begin, self.text.len());
        if text.contains('e') || text == "-0.0" {
            let settled = settled(number).to_string();
            self.taken_out += text.len().cast_signed() - settled.len().cast_signed();
            self.text.truncate(begin);
            self.text.push_str(&settled);
        }
    }

    /// A text without escapes, in which nothing has to be escaped.
    pub(super) fn write_plain(&mut self, text: &str) {
        self.begin_value(self.kind_of(text));
        if self.depth > 0 {
            self.push_plain(text);
        }
    }

    /// Whether a text is blank; that is asked where fields are kept apart.
    fn kind_of(&self, text: &str) -> Last {
        if self.is_apart.is_some() && is_blank(text) { Last::BlankText } else { Last::Text }
    }

    fn push_plain(&mut self, text: &str) {
        self.text.reserve(text.len() + 2);
        self.text.push('"');
        self.text.push_str(text);
        self.text.push('"');
    }

    pub(super) fn write_escaped(&mut self, text: &str) {
        self.begin_value(self.kind_of(text));
        if self.depth > 0 {
            self.push_escaped(text);
        }
    }

    fn push_escaped(&mut self, text: &str) {
        let text = self.without_nul(text);
        // A text can be written as JSON.
        self.text.push_str(&serde_json::to_string(&*text).unwrap_or_default());
    }

    fn without_nul<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let nuls = text.bytes().filter(|byte| *byte == 0).count();
        if nuls == 0 {
            return Cow::Borrowed(text);
        }
        self.had_nul = true;
        self.taken_out += (nuls * "\\u0000".len()).cast_signed();
        Cow::Owned(text.replace('\0', ""))
    }

    /// How many fields of objects are being written that have not ended yet, so that those of the next are known from them.
    pub(super) fn fields_so_far(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn begin(&mut self, shape: Shape) {
        self.shape.get_or_insert(shape);
        self.begin_value(Last::Other);
        self.depth += 1;
        self.needs_comma = false;
        self.text.push(match shape {
            Shape::Object => '{',
            Shape::List => '[',
        });
    }

    pub(super) fn end(&mut self, shape: Shape) {
        self.depth -= 1;
        self.needs_comma = true;
        self.last = Last::Other;
        self.text.push(match shape {
            Shape::Object => '}',
            Shape::List => ']',
        });
    }

    pub(super) fn begin_field(&mut self, name: &str, is_plain: bool) {
        self.separate();
        self.needs_comma = false;
        let begin = self.text.len();
        if is_plain {
            self.push_plain(name);
        } else {
            self.push_escaped(name);
        }
        let name_end = self.text.len();
        self.text.push(':');
        if self.is_too_much() {
            return;
        }
        let is_apart = self.is_apart.is_some_and(|is_apart| is_apart(&self.cleaned(name)));
        let name = (!is_plain).then(|| name.into());
        self.fields.push(Field { begin, name_end, end: name_end, name, is_apart, is_filled: false });
    }

    /// The name without U+0000, as which it is known once it is kept.
    fn cleaned<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if self.had_nul { Cow::Owned(name.replace('\0', "")) } else { Cow::Borrowed(name) }
    }

    pub(super) fn end_field(&mut self) {
        let end = self.text.len();
        let is_filled = !matches!(self.last, Last::Null | Last::BlankText);
        if let Some(field) = self.fields.last_mut() {
            field.end = end;
            field.is_filled = is_filled;
        }
    }

    /// Puts the fields of the object that has just been written in order: those from the one at `first` on.
    pub(super) fn end_fields(&mut self, first: usize) {
        let Self { text, fields, scratch, .. } = self;
        let own = fields.get_mut(first..).unwrap_or_default();
        if !own.is_sorted_by(|one, other| one.cmp_name(other, text).is_lt()) {
            own.sort_unstable_by(|one, other| {
                one.cmp_name(other, text).then_with(|| one.cmp_sent(other, text)).then(one.begin.cmp(&other.begin))
            });
            put_in_order(text, fields, first, scratch);
        }
        // The outermost object's fields stay, to be kept in halves.
        if self.depth > 1 {
            let first = first.min(self.fields.len());
            let is_apart = self.fields.drain(first..).fold(false, |any, field| any | field.is_apart);
            if let Some(holder) = self.fields.last_mut() {
                holder.is_apart |= is_apart;
            }
        }
    }
}

/// Writes the fields anew in the order in which they are listed, without those of which a later one has the name.
fn put_in_order(text: &mut String, fields: &mut Vec<Field>, first: usize, scratch: &mut String) {
    let Some(begin) = fields.iter().skip(first).map(|field| field.begin).min() else { return };
    scratch.clear();
    let mut kept = first;
    for index in first..fields.len() {
        let (Some(field), next) = (fields.get(index), fields.get(index + 1)) else { return };
        if next.is_some_and(|next| next.cmp_name(field, text).is_eq()) {
            continue;
        }
        if !scratch.is_empty() {
            scratch.push(',');
        }
        let new_begin = begin + scratch.len();
        scratch.push_str(slice(text, field.begin, field.end));
        let shift = |old: usize| old - field.begin + new_begin;
        let (name_end, end) = (shift(field.name_end), shift(field.end));
        fields.swap(kept, index);
        if let Some(field) = fields.get_mut(kept) {
            // Its name is looked at no more.
            (field.begin, field.name_end, field.end) = (new_begin, name_end, end);
        }
        kept += 1;
    }
    fields.truncate(kept);
    text.truncate(begin);
    text.push_str(scratch);
}

impl Field {
    /// The name as it is kept.
    fn name<'t>(&'t self, text: &'t str) -> Cow<'t, str> {
        match &self.name {
            None => Cow::Borrowed(slice(text, self.begin + 1, self.name_end - 1)),
            Some(name) if name.contains('\0') => Cow::Owned(name.replace('\0', "")),
            Some(name) => Cow::Borrowed(name),
        }
    }

    fn cmp_name(&self, other: &Self, text: &str) -> Ordering {
        if self.name.is_none() && other.name.is_none() {
            let name = |field: &Self| text.as_bytes().get(field.begin + 1..field.name_end - 1);
            return name(self).cmp(&name(other));
        }
        self.name(text).cmp(&other.name(text))
    }

    /// The order of the names as they were sent.
    fn cmp_sent(&self, other: &Self, text: &str) -> Ordering {
        let sent = |field: &Self| field.name.as_deref().map_or_else(|| field.name(text).into_owned(), str::to_owned);
        sent(self).cmp(&sent(other))
    }
}

fn slice(text: &str, begin: usize, end: usize) -> &str {
    text.get(begin..end).unwrap_or_default()
}

fn separate(text: &mut String, opening: &str) {
    if text.len() > opening.len() {
        text.push(',');
    }
}
