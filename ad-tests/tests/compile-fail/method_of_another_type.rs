use ad_runtime::differentiable;
use std::ops::Deref;

struct Core {
    k: f64,
}

struct Shell {
    core: Core,
}

impl Deref for Shell {
    type Target = Core;
    fn deref(&self) -> &Core {
        &self.core
    }
}

#[differentiable]
impl Core {
    fn rise(&self, x: f64) -> f64 {
        self.k * x * x
    }
}

impl Shell {
    // The macro has not seen this one.
    fn rise(&self, x: f64) -> f64 {
        self.k * x
    }
}

struct Holder {
    shell: Shell,
}

#[differentiable(only(grad))]
fn f(holder: &Holder, x: f64) -> f64 {
    holder.shell.rise(x)
}

fn main() {}
