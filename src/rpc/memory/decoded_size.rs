//! Bounds the memory of a decoded message before it is decoded.
//!
//! A message can become much larger when it is decoded: two bytes can add an element of two hundred
//! to a list. The bound follows the fields of the message by their descriptors, and counts what
//! `prost` allocates for each. No library does this: `prost` has no limit on what it allocates.

use std::collections::HashMap;

use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// A list has room for at least 4 elements. One that grows has up to twice the room that it needs,
/// beside the copy of half that size that it grew from.
const LIST_GROWTH: usize = 4;
/// A hash map fills between 7/16 and 7/8 of its room, beside the copy of half that size that it grew
/// from.
const MAP_GROWTH: usize = 4;
/// The most bytes of a string, a byte string, a list or an optional scalar inside a message.
const FIELD_BYTES: usize = 40;
/// The most bytes of a hash map inside a message.
const MAP_FIELD_BYTES: usize = 64;
/// The deepest nesting that `prost` decodes.
const MAX_DEPTH: usize = 100;

/// The fields of the request messages of all methods.
#[derive(Debug, Default)]
pub(in crate::rpc) struct MessageSchemas {
    messages: Vec<MessageSchema>,
    by_name: HashMap<String, usize>,
    /// The request message of each method, by the path of the method.
    requests: HashMap<String, usize>,
}

/// The request message of one method.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) struct RequestSchema(usize);

#[derive(Debug, Default, Clone)]
struct MessageSchema {
    fields: Vec<(u32, FieldSchema)>,
    /// The most bytes of the Rust value, without what it points to.
    value_bytes: usize,
    is_map_entry: bool,
}

/// What a field adds to the memory.
#[derive(Debug, Clone, Copy)]
enum FieldSchema {
    /// A scalar inside the message.
    Scalar,
    /// A list of scalars: the bytes of one value, and the fewest bytes of one in the message.
    Scalars { value: usize, encoded: usize },
    /// A string or a byte string, or a list of them.
    Text { is_list: bool },
    /// A message, or a list or a map of them.
    Message { index: usize, is_list: bool },
}

impl MessageSchemas {
    /// Adds the messages and the methods of `set`.
    pub(in crate::rpc) fn add(&mut self, set: &FileDescriptorSet) {
        for file in &set.file {
            let package = match file.package() {
                "" => String::new(),
                package => format!(".{package}"),
            };
            let mut found = Vec::new();
            file.message_type
                .iter()
                .for_each(|message| collect(&package, message, &mut found));
            for (name, message) in &found {
                let index = self.index(name);
                if let Some(schema) = self.messages.get_mut(index) {
                    schema.is_map_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
                }
                let fields = message.field.iter();
                let fields = fields
                    .filter_map(|field| Some((u32::try_from(field.number()).ok()?, self.field(field))))
                    .collect();
                if let Some(schema) = self.messages.get_mut(index) {
                    schema.fields = fields;
                }
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("{package}.{}/{}", service.name(), method.name());
                    let path = path.replacen('.', "/", 1);
                    let request = self.index(method.input_type());
                    self.requests.insert(path, request);
                }
            }
        }
        for index in 0..self.messages.len() {
            let bytes = self.value_bytes(index, 0);
            if let Some(schema) = self.messages.get_mut(index) {
                schema.value_bytes = bytes;
            }
        }
    }

    /// An upper bound of the bytes that `message` becomes when it is decoded as `request`, without
    /// the bytes of `message` itself. The bound stops to grow beyond `enough`.
    pub(in crate::rpc) fn decoded_bytes(&self, request: Option<RequestSchema>, message: &[u8], enough: usize) -> usize {
        let mut total = 0;
        if let Some(RequestSchema(index)) = request {
            self.add_message(index, message, (&mut total, enough), 0);
        }
        total
    }

    /// The request message of the method at `path`. `None` for an unknown method.
    pub(in crate::rpc) fn request(&self, path: &str) -> Option<RequestSchema> {
        self.requests.get(path).copied().map(RequestSchema)
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(index) = self.by_name.get(name) {
            return *index;
        }
        self.messages.push(MessageSchema::default());
        self.by_name.insert(name.to_owned(), self.messages.len() - 1);
        self.messages.len() - 1
    }

    fn field(&mut self, field: &FieldDescriptorProto) -> FieldSchema {
        let is_list = field.label() == Label::Repeated;
        let (value, encoded) = match field.r#type() {
            Type::String | Type::Bytes => return FieldSchema::Text { is_list },
            Type::Message | Type::Group => {
                let index = self.index(field.type_name());
                return FieldSchema::Message { index, is_list };
            }
            Type::Double | Type::Fixed64 | Type::Sfixed64 => (8, 8),
            Type::Float | Type::Fixed32 | Type::Sfixed32 => (4, 4),
            Type::Bool => (1, 1),
            Type::Int64 | Type::Uint64 | Type::Sint64 => (8, 1),
            Type::Int32 | Type::Uint32 | Type::Sint32 | Type::Enum => (4, 1),
        };
        match is_list {
            true => FieldSchema::Scalars { value, encoded },
            false => FieldSchema::Scalar,
        }
    }

    fn value_bytes(&self, index: usize, depth: usize) -> usize {
        let Some(schema) = self.messages.get(index) else {
            return 0;
        };
        let fields = schema.fields.iter().map(|(_, field)| match field {
            FieldSchema::Message { index, is_list: false } if depth < MAX_DEPTH => {
                self.value_bytes(*index, depth + 1) + size_of::<usize>()
            }
            FieldSchema::Message { .. } => MAP_FIELD_BYTES,
            _ => FIELD_BYTES,
        });
        fields.sum()
    }

    /// Adds the bound of one message to `total`. Bytes that are no message end it: the decoder ends
    /// there too.
    fn add_message(&self, index: usize, mut bytes: &[u8], (total, enough): (&mut usize, usize), depth: usize) {
        let Some(schema) = self.messages.get(index).filter(|_| depth < MAX_DEPTH) else {
            return;
        };
        while !bytes.is_empty() && *total <= enough {
            let Ok((number, wire_type)) = decode_key(&mut bytes) else {
                return;
            };
            let field = schema
                .fields
                .iter()
                .find(|(own, _)| *own == number)
                .map(|(_, field)| *field);
            let (skipped, content) = match wire_type {
                WireType::Varint => match decode_varint(&mut bytes) {
                    Ok(_) => (0, None),
                    Err(_) => return,
                },
                WireType::SixtyFourBit => (8, None),
                WireType::ThirtyTwoBit => (4, None),
                WireType::LengthDelimited => match decode_varint(&mut bytes).map(usize::try_from) {
                    Ok(Ok(length)) => (length, bytes.get(..length)),
                    _ => return,
                },
                // `prost` decodes no group, and skips unknown ones without memory.
                WireType::StartGroup | WireType::EndGroup => (0, None),
            };
            let Some(rest) = bytes.get(skipped..) else { return };
            bytes = rest;
            let added = match (field, content) {
                (Some(FieldSchema::Scalars { value, .. }), None) => LIST_GROWTH * value,
                (Some(FieldSchema::Scalars { value, encoded }), Some(content)) => {
                    LIST_GROWTH * value * (content.len() / encoded)
                }
                (Some(FieldSchema::Text { is_list }), Some(content)) => {
                    content.len() + if is_list { LIST_GROWTH * FIELD_BYTES } else { 0 }
                }
                (Some(FieldSchema::Message { index, is_list }), Some(content)) => {
                    self.add_message(index, content, (total, enough), depth + 1);
                    match self.messages.get(index).filter(|_| is_list) {
                        Some(of) if of.is_map_entry => MAP_GROWTH * of.value_bytes,
                        Some(of) => LIST_GROWTH * of.value_bytes,
                        None => 0,
                    }
                }
                _ => 0,
            };
            *total = total.saturating_add(added);
        }
    }
}

/// Collects `message` and the messages inside it with their full names.
fn collect<'a>(scope: &str, message: &'a DescriptorProto, found: &mut Vec<(String, &'a DescriptorProto)>) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        collect(&name, nested, found);
    }
    found.push((name, message));
}

#[cfg(test)]
mod tests;
