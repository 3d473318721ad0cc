//! Parameters that consist of parts: structs that derive `Differentiable`, tuples, slices and vectors of them. What is
//! active in them, and what is data.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Member;

use super::arrays::types::{By, Foreign, foreign};
use super::signature::{Floats, element, float_kind, shape};
use crate::ir::{Dim, Layout, Type};

/// A parameter that consists of parts.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) by_ref: bool,
    pub(crate) node: Node,
    /// The floats and arrays of floats in it, in order.
    pub(crate) leaves: Vec<Leaf>,
    /// A field with floats that cannot be active, though nobody said that they are data.
    pub(crate) hidden: Option<syn::Type>,
}

/// A part of a record.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Leaf(usize),
    /// A struct (of this type) or tuple (`None`), with its fields in their order.
    Parts(Option<syn::Path>, Vec<(Member, Node)>),
    /// A vector, slice or array of such: each leaf in it is a column.
    Rows(Box<Node>),
    /// A field that is no float: where it is, and its type.
    Inactive(Vec<Member>, Box<syn::Type>),
}

/// A float or an array of floats in a record.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// Where it is in the record; where it is a column, where the rows are.
    pub(crate) path: Vec<Member>,
    /// Where it is in each row, if it is a column.
    pub(crate) column: Option<Column>,
    /// Its type (of one row's, if it is a column).
    pub(crate) ty: syn::Type,
    /// Whether it is data. Only columns are: other data is no leaf.
    pub(crate) inactive: bool,
}

/// A leaf of each row.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) axis: Dim,
    pub(crate) path: Vec<Member>,
}

impl Leaf {
    /// `.position.x`
    pub(crate) fn access(&self) -> TokenStream {
        access(&self.path)
    }

    /// Whether it can only be read and written in place: nobody makes one by value.
    fn only_by_reference(&self, floats: &Floats) -> bool {
        self.column.is_some()
            || foreign(&self.ty, floats).is_some()
            || shape(&self.ty, floats).is_some_and(|(dims, _)| dims[1..].contains(&Dim::Slice))
    }
}

/// `.position.x`
pub(crate) fn access(path: &[Member]) -> TokenStream {
    quote!(#(.#path)*)
}

impl Record {
    /// Whether it can only be taken by reference: it has rows, whose lengths only the user's own value knows.
    pub(crate) fn only_by_reference(&self, floats: &Floats) -> bool {
        self.leaves.iter().any(|l| l.only_by_reference(floats))
    }
}

/// The parts of a struct or tuple type, `None` if it is none or nothing in it is a float.
pub(super) fn record(ty: &syn::Type, by_ref: bool, floats: &Floats) -> Option<Record> {
    Reader::new(floats, None).record(ty, by_ref)
}

/// The parts of the rows of a slice of structs or tuples. Each leaf is a column without a place of its own.
pub(super) fn rows(ty: &syn::Type, axis: Dim, floats: &Floats) -> Option<Record> {
    Reader::new(floats, Some((Vec::new(), axis))).record(ty, true)
}

struct Reader<'f> {
    floats: &'f Floats,
    leaves: Vec<Leaf>,
    /// Where the rows are that are read, and their axis.
    rows: Option<(Vec<Member>, Dim)>,
    /// The structs that are read: one in itself (behind a `Vec`) has no end.
    open: Vec<String>,
    hidden: Option<syn::Type>,
}

impl<'f> Reader<'f> {
    fn new(floats: &'f Floats, rows: Option<(Vec<Member>, Dim)>) -> Self {
        Reader { floats, leaves: Vec::new(), rows, open: Vec::new(), hidden: None }
    }

    fn record(mut self, ty: &syn::Type, by_ref: bool) -> Option<Record> {
        let node = self.node(ty, &[], false)?;
        let is_record = matches!(node, Node::Parts(..)) && self.has_active();
        is_record.then_some(Record { by_ref, node, leaves: self.leaves, hidden: self.hidden })
    }

    fn has_active(&self) -> bool {
        self.leaves.iter().any(|l| !l.inactive)
    }

    /// `path`: where it is in the record, or in the row.
    fn node(&mut self, ty: &syn::Type, path: &[Member], constant: bool) -> Option<Node> {
        if !constant {
            // The whole is a float or an array of floats: no record.
            let is_array = is_array(ty, self.floats) && (self.rows.is_none() || is_vector(ty, self.floats));
            if is_leaf(ty, self.floats) || is_array {
                return (!path.is_empty()).then(|| self.leaf(ty, path, false));
            }
            if let Some(fields) = fields(ty) {
                return self.parts(ty, fields, path);
            }
            if self.rows.is_none()
                && !path.is_empty()
                && let Some((elem, axis)) = element(ty)
                && fields(elem).is_some()
            {
                let before = self.leaves.len();
                self.rows = Some((path.to_vec(), axis));
                let node = self.node(elem, &[], false);
                self.rows = None;
                if self.leaves[before..].iter().any(|l| !l.inactive) {
                    return node.map(|n| Node::Rows(Box::new(n)));
                }
                self.leaves.truncate(before);
            }
        }
        if path.is_empty() {
            return None;
        }
        if !constant && mentions_float(ty) {
            self.hidden.get_or_insert_with(|| ty.clone());
        }
        if self.rows.is_some() {
            return Some(self.leaf(ty, path, true));
        }
        Some(Node::Inactive(path.to_vec(), Box::new(ty.clone())))
    }

    fn leaf(&mut self, ty: &syn::Type, path: &[Member], inactive: bool) -> Node {
        let (path, column) = match &self.rows {
            Some((rows, axis)) => (rows.clone(), Some(Column { axis: axis.clone(), path: path.to_vec() })),
            None => (path.to_vec(), None),
        };
        self.leaves.push(Leaf { path, column, ty: ty.clone(), inactive });
        Node::Leaf(self.leaves.len() - 1)
    }

    fn parts(&mut self, ty: &syn::Type, fields: Vec<Field>, path: &[Member]) -> Option<Node> {
        let name = match ty {
            syn::Type::Path(p) => Some(p.path.clone()),
            _ => None,
        };
        let text = quote!(#ty).to_string();
        if name.is_some() && self.open.contains(&text) {
            return None;
        }
        self.open.push(text);
        let mut parts = Vec::new();
        for field in fields {
            let path = [path, std::slice::from_ref(&field.member)].concat();
            parts.push((field.member, self.node(&field.ty, &path, field.constant)?));
        }
        self.open.pop();
        Some(Node::Parts(name, parts))
    }
}

/// Whether a type is one that a leaf can have.
fn is_leaf(ty: &syn::Type, floats: &Floats) -> bool {
    float_kind(ty, floats).is_some() || matches!(shape(ty, floats), Some((_, Type::Float(_))))
}

/// The path of a struct as its constructor: rustc knows its arguments.
pub(crate) fn constructor(path: &syn::Path) -> syn::Path {
    let mut path = path.clone();
    for segment in &mut path.segments {
        segment.arguments = syn::PathArguments::None;
    }
    path
}

/// Whether a type is an array of `ndarray` or `nalgebra` that a struct can own.
fn is_array(ty: &syn::Type, floats: &Floats) -> bool {
    let owned = |f: &Foreign| f.by == By::Value && f.layout != Layout::Nested;
    // `Array1` by itself is not passed by value, but a struct owns it.
    foreign(ty, floats).is_some_and(|f| owned(&f))
}

/// Whether such an array is a vector whose length is in its type: in rows it is indexed like an array.
fn is_vector(ty: &syn::Type, floats: &Floats) -> bool {
    foreign(ty, floats)
        .is_some_and(|f| f.layout == Layout::Nalgebra && matches!(f.dims.as_slice(), [Dim::Fixed(_)]))
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) ty: syn::Type,
    /// Marked as data by the user.
    pub(crate) constant: bool,
}

/// The fields of a tuple, or of a struct that derives `Differentiable`.
fn fields(ty: &syn::Type) -> Option<Vec<Field>> {
    match ty {
        syn::Type::Tuple(t) if !t.elems.is_empty() => Some(
            t.elems
                .iter()
                .enumerate()
                .map(|(k, t)| Field { member: Member::from(k), ty: t.clone(), constant: false })
                .collect(),
        ),
        syn::Type::Path(p) => {
            let item = crate::structs::instance(&p.path)?;
            Some(fields_of(&item))
        }
        syn::Type::Paren(p) => fields(&p.elem),
        syn::Type::Group(g) => fields(&g.elem),
        _ => None,
    }
}

/// The fields of a struct.
pub(crate) fn fields_of(item: &syn::ItemStruct) -> Vec<Field> {
    item.fields
        .members()
        .zip(&item.fields)
        .map(|(member, f)| Field {
            member,
            ty: f.ty.clone(),
            constant: f.attrs.iter().any(|a| a.path().is_ident("constant")),
        })
        .collect()
}

/// What a field of a struct that derives `Differentiable` is.
pub(crate) enum FieldKind {
    /// Active, or a struct or vector with active parts.
    Active,
    /// No float in it.
    Data,
    /// Floats that the macro cannot differentiate with respect to.
    Hidden,
}

/// What a field is, to tell its author.
pub(crate) fn field_kind(ty: &syn::Type) -> FieldKind {
    let floats = <Floats as Default>::default();
    let mut reader = Reader::new(&floats, None);
    let node = reader.node(ty, &[Member::from(0)], false);
    match node {
        None => FieldKind::Hidden,
        Some(_) if reader.hidden.is_some() => FieldKind::Hidden,
        Some(_) if reader.has_active() => FieldKind::Active,
        Some(_) => FieldKind::Data,
    }
}

/// The type of a field whose floats cannot be differentiated with respect to, in a struct or what is made of structs.
pub(crate) fn hidden_in(ty: &syn::Type) -> Option<syn::Type> {
    match ty {
        syn::Type::Reference(r) => hidden_in(&r.elem),
        syn::Type::Array(a) => hidden_in(&a.elem),
        syn::Type::Slice(s) => hidden_in(&s.elem),
        syn::Type::Paren(p) => hidden_in(&p.elem),
        syn::Type::Group(g) => hidden_in(&g.elem),
        syn::Type::Path(p) => {
            let last = p.path.segments.last()?;
            if let syn::PathArguments::AngleBracketed(arguments) = &last.arguments
                && let Some(syn::GenericArgument::Type(inner)) = arguments.args.first()
                && last.ident == "Vec"
            {
                return hidden_in(inner);
            }
            let fields = fields_of(&crate::structs::instance(&p.path)?);
            let hidden = |f: &Field| !f.constant && matches!(field_kind(&f.ty), FieldKind::Hidden);
            fields.into_iter().find(hidden).map(|f| f.ty)
        }
        _ => None,
    }
}

/// Whether floats are stored in a type, as far as its name tells.
pub(crate) fn mentions_float(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Path(p) => {
            let Some(last) = p.path.segments.last() else { return false };
            let name = last.ident.to_string();
            if ["f64", "f32"].contains(&name.as_str()) || crate::structs::find(&name).is_some() {
                return true;
            }
            match &last.arguments {
                syn::PathArguments::AngleBracketed(args) if name != "PhantomData" => {
                    args.args.iter().any(|a| matches!(a, syn::GenericArgument::Type(t) if mentions_float(t)))
                }
                _ => false,
            }
        }
        syn::Type::Array(a) => mentions_float(&a.elem),
        syn::Type::Slice(s) => mentions_float(&s.elem),
        syn::Type::Tuple(t) => t.elems.iter().any(mentions_float),
        syn::Type::Reference(r) => mentions_float(&r.elem),
        syn::Type::Paren(p) => mentions_float(&p.elem),
        syn::Type::Group(g) => mentions_float(&g.elem),
        _ => false,
    }
}
