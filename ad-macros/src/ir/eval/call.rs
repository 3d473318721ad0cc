//! Calls: the slots of a call are bound to the parameters of the companion by role, as `ad-runtime` documents them.

use rustc_hash::FxHashMap as HashMap;

use super::{EvalError, Item, Machine, Num, Scalar, Tensor, eval_in, wrong};
use crate::ir::{Arg, BarArg, Buffer, Call, CallMode, Mark, Role, Source, Value};

impl<N: Num> Machine<'_, N> {
    /// What an argument names.
    fn argument(&self, arg: &Arg) -> Result<Item<N>, EvalError> {
        match arg {
            Arg::Value(v) => Ok(Item::Scalar(self.get(*v)?)),
            Arg::Buffer { buffer, prefix, range, .. } => {
                let (at, dims) = self.part(*buffer, prefix, *range)?;
                let n: usize = dims.iter().product();
                Ok(Item::Tensor(Tensor { dims, data: self.tensor(*buffer)?.data[at..at + n].to_vec() }))
            }
        }
    }

    /// Offset and axes of a part of a buffer.
    fn part(
        &self,
        b: Buffer,
        prefix: &[Value],
        range: Option<(Value, Value)>,
    ) -> Result<(usize, Vec<usize>), EvalError> {
        let mut at = self.offset(b, prefix)?;
        let mut dims = self.tensor(b)?.dims[prefix.len()..].to_vec();
        if let Some((start, len)) = range {
            let (start, len) = (self.int(start)? as usize, self.int(len)? as usize);
            if dims.is_empty() || start + len > dims[0] {
                return wrong(format!("{start} for {len} of {dims:?}"));
            }
            at += start * dims[1..].iter().product::<usize>();
            dims[0] = len;
        }
        Ok((at, dims))
    }

    pub(super) fn call(&mut self, call: &Call) -> Result<Vec<Scalar<N>>, EvalError> {
        let module = self.module;
        let callee = module.find(&call.callee, call.mode)?;
        let mut args = Vec::new();
        let mut seen: HashMap<Role, usize> = HashMap::default();
        for param in &callee.params {
            let nth = seen.entry(param.role.clone()).or_default();
            *nth += 1;
            let slot = match (param.role.of, param.role.marks.as_slice()) {
                (Source::Param(i), []) => Some(self.argument(&call.args[i])?),
                (Source::Param(i), [Mark::Dot]) => self.optional(call.dots[*nth - 1][i].as_ref())?,
                (Source::Param(i), [Mark::Dot, Mark::Dot]) => self.optional(call.dots[1][i].as_ref())?,
                // Adjoints are added into what is given: nothing, here; the sum follows.
                (Source::Param(_), [Mark::Bar] | [Mark::Bar, Mark::Dot]) => None,
                (Source::Result(_), [Mark::Bar]) => Some(Item::Scalar(self.get(call.seeds[0])?)),
                (Source::Result(_), [Mark::Bar, Mark::Dot]) => Some(Item::Scalar(self.get(call.seeds[1])?)),
                (_, marks) => return wrong(format!("a parameter with marks {marks:?}")),
            };
            args.push(match (slot, param.role.of) {
                (Some(item), _) => item,
                (None, Source::Param(i)) => {
                    self.argument(&call.args[i])?.with_floats(&mut std::iter::repeat(N::constant(0.0)))
                }
                (None, Source::Leaf(..) | Source::Result(_) | Source::Saved(_)) => {
                    return wrong("a result without seed");
                }
            });
        }
        let outcome = eval_in(module, callee, &args)?;
        self.counts.insts += outcome.counts.insts;
        if !matches!(call.mode, CallMode::Vjp | CallMode::VjpJvp) {
            let scalars = outcome.outputs.iter().map(|(_, item)| match item {
                Item::Scalar(s) => Ok(*s),
                Item::Tensor(_) => wrong("a call that returns a buffer"),
            });
            return scalars.collect();
        }
        let mut results = Vec::new();
        for (group, marks) in call.bars.iter().zip([&[Mark::Bar][..], &[Mark::Bar, Mark::Dot]]) {
            for (i, bar) in group.iter().enumerate() {
                let role = Role { of: Source::Param(i), marks: marks.to_vec() };
                match (bar, outcome.get(&role)) {
                    (None, _) => {}
                    (Some(BarArg::Result), Some(Item::Scalar(s))) => results.push(*s),
                    (
                        Some(BarArg::Into(Arg::Buffer { buffer, prefix, range, .. })),
                        Some(Item::Tensor(t)),
                    ) => {
                        let (at, _) = self.part(*buffer, prefix, *range)?;
                        let place = &mut self.tensor_mut(*buffer)?.data[at..];
                        for (place, add) in place.iter_mut().zip(&t.data) {
                            let (Scalar::F(a), Scalar::F(b)) = (*place, *add) else {
                                return wrong("an adjoint that is no float");
                            };
                            *place = Scalar::F(a.add(b));
                        }
                    }
                    (bar, found) => return wrong(format!("adjoint {bar:?} and {found:?}")),
                }
            }
        }
        Ok(results)
    }

    fn optional(&self, arg: Option<&Arg>) -> Result<Option<Item<N>>, EvalError> {
        arg.map(|a| self.argument(a)).transpose()
    }
}
