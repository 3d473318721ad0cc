//! Carried scalars that a loop does not change: replaced by what they start from. The adjoint of an accumulator
//! is the prime case: this is what lets a reduction be reversed without carrying anything.

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{Block, Func, InstKind, Value};

/// Runs the pass.
pub(crate) fn carried(mut func: Func) -> Func {
    let mut same = HashMap::default();
    let mut body = std::mem::take(&mut func.body);
    in_block(&mut body, &mut same);
    func.body = body;
    func.replace_values(&same);
    func
}

fn in_block(block: &mut Block, same: &mut HashMap<Value, Value>) {
    for inst in &mut block.insts {
        for nested in inst.kind.blocks_mut() {
            in_block(nested, same);
        }
        let end = |mut v: Value, same: &HashMap<Value, Value>| {
            while let Some(next) = same.get(&v) {
                v = *next;
            }
            v
        };
        match &mut inst.kind {
            InstKind::For(l) if !l.body.diverges => {
                let mut k = 0;
                while k < l.inits.len() {
                    let yielded = end(l.body.yields[k], same);
                    // Unchanged, or set to what it started from.
                    if yielded == l.body.args[k + 1] || yielded == end(l.inits[k], same) {
                        same.insert(l.body.args.remove(k + 1), l.inits[k]);
                        same.insert(inst.results.remove(k), l.inits.remove(k));
                        l.body.yields.remove(k);
                    } else {
                        k += 1;
                    }
                }
            }
            InstKind::While { inits, cond_block, body } if !body.diverges => {
                let mut k = 0;
                while k < inits.len() {
                    if end(body.yields[k], same) == body.args[k] {
                        same.insert(body.args.remove(k), inits[k]);
                        same.insert(cond_block.args.remove(k), inits[k]);
                        same.insert(inst.results.remove(k), inits.remove(k));
                        body.yields.remove(k);
                    } else {
                        k += 1;
                    }
                }
            }
            _ => {}
        }
    }
}
